"""Augmented pixels follow from the seed, the epoch and the example alone."""

from __future__ import annotations

import dataclasses
import hashlib
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.input.augment import Augmentation, augmenter, mixer
from pipelines.data.input.batches import batches, steps_per_epoch, training_batches
from pipelines.data.input.order import Sample
from pipelines.data.splits import ImageArray, ImageFiles, Split, Texts
from tests.support import warm_python

SIZE = 16
LIGHT = Augmentation(flip="horizontal", crop=0.7, colour=0.1)
ALL = Augmentation("both", 0.5, 0.2, mixup=0.4, cutmix=1.0)
KINDS = {
    "light": LIGHT,
    "flip": Augmentation(flip="both"),
    "randaugment": Augmentation(randaugment_operations=2, randaugment_strength=0.3),
    "mixup": Augmentation(mixup=0.4),
    "cutmix": Augmentation(cutmix=1.0),
    "all": ALL,
}


def smooth(count: int, size: int = SIZE) -> np.ndarray:
    """Different pictures without noise, uint8 `[count, size, size, 3]`."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(one).resize((size, size))) for one in coarse]
    )


def split_of(count: int) -> Split:
    return Split("train", ImageArray(smooth(count)), np.arange(count) % 3)


def epoch_of(
    split: Split,
    epoch: int,
    how: Augmentation,
    *,
    threads: int | None = None,
    **options: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and labels of one epoch of training, in its order."""
    settings = {"batch_size": 4, "seed": 3, **options}
    settings["input_size_px"], settings["classes"] = SIZE, 3
    stream = training_batches(split, augmentation=how, **settings)
    if threads is not None:
        alone = tf.data.Options()
        alone.threading.private_threadpool_size = threads
        stream = stream.with_options(alone)
    steps = steps_per_epoch(split, settings["batch_size"])
    found = list(stream.skip(epoch * steps).take(steps))
    return tuple(np.concatenate([part[i].numpy() for part in found]) for i in (0, 1))


@pytest.mark.parametrize("how", KINDS.values(), ids=KINDS)
def test_batch_size_and_threads_change_nothing(how):
    split = split_of(11)
    pixels, labels = epoch_of(split, 1, how)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (11, SIZE, SIZE, 3))
    again, labels_again = epoch_of(split, 1, how, batch_size=5, threads=1)
    assert (again == pixels).all()
    assert (labels_again == labels).all()


def test_resumed_run_sees_the_same_images():
    split = split_of(11)
    resumed, labels = epoch_of(split, 0, ALL, first_epoch=2)
    wanted, wanted_labels = epoch_of(split, 2, ALL)
    assert (resumed == wanted).all()
    assert (labels == wanted_labels).all()
    assert (epoch_of(split, 0, ALL)[0] != wanted).any()


def test_run_resumed_inside_epoch_sees_the_rest():
    options = {"batch_size": 3, "input_size_px": SIZE, "classes": 3}

    def rest(first_step: int, how: Augmentation | None, *, balanced: bool):
        stream = training_batches(
            split_of(11),
            seed=3,
            first_epoch=1,
            first_step=first_step,
            balanced=balanced,
            augmentation=how,
            **options,
        )
        return [one.numpy() for batch in stream.take(5 - first_step) for one in batch]

    for how, balanced in ((Augmentation(mixup=0.4), False), (None, True)):
        whole, later = (rest(step, how, balanced=balanced) for step in (0, 2))
        assert len(later) == 6
        for one, other in zip(later, whole[4:], strict=True):
            assert np.array_equal(one, other)


def test_the_seed_and_the_epoch_change_every_image():
    def by_example(seed: int, epoch: int) -> np.ndarray:
        order = epoch_of(split, epoch, Augmentation(), seed=seed)[0]
        changed = epoch_of(split, epoch, LIGHT, seed=seed)[0]
        whole = split.inputs.pixels
        row = [int(np.flatnonzero((whole == o).all((1, 2, 3)))[0]) for o in order]
        return changed[np.argsort(row)]

    split = split_of(8)
    first = by_example(0, 0)
    assert (by_example(0, 0) == first).all()
    for other in (by_example(0, 1), by_example(1, 0)):
        assert (other != first).any((1, 2, 3)).all()


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import test_augment as t
print(t.digest())
"""


def digest() -> str:
    every = dataclasses.replace(ALL, randaugment_operations=2, randaugment_strength=0.3)
    pixels, labels = epoch_of(split_of(11), 1, every)
    return hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest()


@pytest.mark.slow
def test_two_processes_agree(request):
    command = [sys.executable, "-c", PROGRAM, str(request.path.parent)]
    ended = warm_python.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.split()[-1] == digest()


def sample(index: int, epoch: int = 0, repeat: int = 0) -> Sample:
    return Sample(*(tf.constant(part, tf.int64) for part in (index, epoch, repeat)))


def many(how: Augmentation, count: int = 60) -> np.ndarray:
    """One picture, augmented as many examples."""
    change = tf.function(augmenter(how, seed=0))
    picture = tf.constant(smooth(1)[0])
    return np.stack([change(picture, sample(i)).numpy() for i in range(count)])


def test_nothing_is_the_same_bit_for_bit():
    assert (many(Augmentation(), 4) == smooth(1)).all()


@pytest.mark.parametrize(
    ("flip", "kinds"), [("none", 1), ("horizontal", 2), ("both", 4)]
)
def test_flips_are_exact_and_as_often_as_not(flip, kinds):
    picture = smooth(1)[0]
    versions = [picture, picture[:, ::-1], picture[::-1], picture[::-1, ::-1]]
    counts = [
        sum((image == version).all() for image in many(Augmentation(flip=flip)))
        for version in versions
    ]
    assert sum(counts) == 60
    assert sum(count > 0 for count in counts) == kinds
    assert max(counts) <= 60 * 1.6 / kinds


def test_a_crop_has_its_share_of_the_area():
    """The picture is a ramp, so its range of greys is the side of the crop."""
    ramp = np.linspace(0, 255, 64, dtype=np.float32)
    picture = np.repeat(np.tile(ramp, (64, 1))[..., None], 3, -1).astype(np.uint8)
    change = tf.function(augmenter(Augmentation(crop=0.5), seed=0))
    shares = []
    for i in range(100):
        found = change(tf.constant(picture), sample(i)).numpy().astype(int)
        shares.append(((found.max() - found.min()) / 255) ** 2)
    assert 0.48 <= min(shares) < 0.58
    assert 0.92 < max(shares) <= 1
    assert np.mean(shares) == pytest.approx(0.75, abs=0.05)


def test_colour_stays_within_its_bounds():
    grey = tf.constant(np.full((4, 4, 3), 100, np.uint8))
    change = tf.function(augmenter(Augmentation(colour=0.1), seed=0))
    found = {int(change(grey, sample(i))[0, 0, 0]) for i in range(100)}
    assert min(found) >= 90
    assert max(found) <= 110
    assert len(found) >= 15  # contrast and saturation change no grey


def test_every_operation_of_randaugment_changes_some_image():
    how = Augmentation(randaugment_operations=1, randaugment_strength=0.5)
    found = many(how, 120)
    different = {image.tobytes() for image in found}
    assert len(different) > 60
    assert found.min() < 20 or found.max() > 235


def test_a_repeated_draw_is_augmented_in_another_way():
    change = tf.function(augmenter(LIGHT, seed=0))
    picture = tf.constant(smooth(1)[0])
    first, second = (change(picture, sample(0, 0, repeat)).numpy() for repeat in (0, 1))
    assert (first != second).any()


PAIR = np.stack([np.full((SIZE, SIZE, 3), grey, np.uint8) for grey in (0, 200)])
LABELS = np.eye(3, dtype=np.float32)[[0, 2]]


def test_mixup_mixes_labels_as_it_mixes_pixels():
    mix = tf.function(mixer(Augmentation(mixup=0.4), seed=0))
    weights = []
    for i in range(20):
        pixels, labels = (t.numpy() for t in mix(PAIR, LABELS, sample(i)))
        assert pixels.dtype == np.uint8
        assert labels.sum(1) == pytest.approx([1, 1], abs=1e-6)
        assert (pixels == pixels[:, :1, :1, :1]).all()
        # The share of the bright image equals the share of its label.
        assert pixels[:, 0, 0, 0] / 200 == pytest.approx(labels[:, 2], abs=0.003)
        weights.append(labels[0, 0])
    assert len(set(weights)) == 20


def test_cutmix_mixes_labels_by_area():
    mix = tf.function(mixer(Augmentation(cutmix=1.0), seed=0))
    cut = 0
    for i in range(20):
        pixels, labels = (t.numpy() for t in mix(PAIR, LABELS, sample(i)))
        assert set(np.unique(pixels)) <= {0, 200}
        share = (pixels == 200).mean((1, 2, 3))
        # Keras' box has no whole number of pixels: off by a row and a column.
        assert share == pytest.approx(labels[:, 2], abs=2.1 / SIZE)
        cut += 0 < share[0] < 1
    assert cut >= 15


def test_soft_labels_follow_the_mixed_images():
    count = 7
    pixels = np.zeros((count, SIZE, SIZE, 3), np.uint8)
    pixels += (30 * np.arange(count, dtype=np.uint8))[:, None, None, None]
    split = Split("train", ImageArray(pixels), np.arange(count))
    stream = training_batches(
        split,
        input_size_px=SIZE,
        batch_size=3,
        seed=0,
        augmentation=Augmentation(mixup=0.4),
        classes=count,
    )
    found = list(stream.take(3))
    assert [len(labels) for _, labels in found] == [3, 3, 1]
    images, labels = (
        np.concatenate([part[i].numpy() for part in found]) for i in (0, 1)
    )
    assert labels @ (30 * np.arange(count)) == pytest.approx(
        images[:, 0, 0, 0].astype(float), abs=0.51
    )
    assert labels.sum(0) == pytest.approx(np.ones(count), abs=1)
    assert labels[-1].max() == 1  # the odd one is not mixed


def test_files_are_augmented_as_arrays_are(tmp_path):
    images = smooth(6)
    paths = [str(tmp_path / f"{i}.png") for i in range(6)]
    for path, image in zip(paths, images):
        Image.fromarray(image).save(path)
    array = split_of(6)
    files = dataclasses.replace(array, inputs=ImageFiles(tuple(paths)))
    assert (epoch_of(files, 0, ALL)[0] == epoch_of(array, 0, ALL)[0]).all()


def test_evaluation_is_never_augmented():
    split = split_of(6)
    ((pixels, _),) = batches(split, input_size_px=SIZE, batch_size=6)
    assert (pixels.numpy() == split.inputs.pixels).all()


def test_texts_are_refused():
    split = Split("train", Texts(np.array([b"a", b"b"], object)), np.arange(2))
    with pytest.raises(ValueError, match="Only images have pixels, and not text"):
        training_batches(
            split, input_size_px=SIZE, batch_size=1, seed=0, augmentation=LIGHT
        )
    training_batches(split, input_size_px=None, batch_size=1, seed=0)
