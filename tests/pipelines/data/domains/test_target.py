"""Targets that can be adapted to, and others that are refused."""

import dataclasses

import numpy as np
import pytest

from pipelines.data.domains.target import (
    FEWEST,
    Source,
    read_labelled,
    read_target,
    source_of,
)
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError
from tests.support import two_domains


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return two_domains.write(tmp_path_factory.mktemp("targets"))


@pytest.fixture(scope="module")
def source(folder) -> Source:
    return source_of(load(DatasetRef.parse(f"npz:{folder / two_domains.SOURCE}")))


def _npz(path, x, y):
    np.savez(path, x=x, y=np.asarray(y))
    return f"npz:{path}"


def _images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3)).astype("u1")


def test_target_is_read_without_its_labels(folder, source):
    target = read_target(f"npz:{folder / two_domains.TARGET}", source)
    assert (target.name, len(target)) == ("target", 150)
    assert len(source.contents) > len(source.held_out) > 0


def test_target_folder_may_hold_images_themselves(tmp_path, source):
    from PIL import Image

    for i, pixels in enumerate(_images(FEWEST)):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    assert len(read_target(f"dir:{tmp_path}", source)) == FEWEST


@pytest.mark.parametrize(
    ("count", "names", "message"),
    [
        (40, ["0", "cat"], "has the classes 'cat', which the source does not have"),
        (40, ["1"], "holds one class alone, '1'"),
        (3, ["0", "1", "2"], f"holds 3 examples of the target, and {FEWEST}"),
    ],
)
def test_target_of_other_classes_is_refused(tmp_path, source, count, names, message):
    labels = [names[i % len(names)] for i in range(count)]
    with pytest.raises(DataError, match=message):
        read_target(_npz(tmp_path / "x.npz", _images(count), labels), source)


def test_target_that_is_the_source_is_refused(folder, source):
    with pytest.raises(DataError, match="there is nothing to adapt"):
        read_target(f"npz:{folder / two_domains.SOURCE}", source)


def test_target_of_another_modality_is_refused(tmp_path, source):
    texts = _npz(tmp_path / "t.npz", [f"text {i}" for i in range(40)], ["0", "1"] * 20)
    with pytest.raises(DataError, match="holds texts, but the source has images"):
        read_target(texts, source)


def test_series_of_another_size_are_refused(tmp_path, source):
    x = np.random.default_rng(0).normal(size=(40, 30, 2)).astype("f4")
    series = _npz(tmp_path / "s.npz", x, ["0", "1"] * 20)
    own = dataclasses.replace(source, modality="series", shape=(50, 2))
    with pytest.raises(
        DataError, match="30 steps and 2 channels, but the source has 50"
    ):
        read_target(series, own)
    same = dataclasses.replace(own, shape=(30, 2))
    assert len(read_target(series, same)) == 40


def test_labelled_are_numbered_as_the_source(folder, source):
    reference = f"npz:{folder / two_domains.LABELLED}"
    names = dataclasses.replace(source, class_names=("2", "0", "1"))
    labels = read_labelled(reference, names, fewest=50).labels
    expected = read_labelled(reference, source, fewest=50).labels
    np.testing.assert_array_equal(labels, np.array([1, 2, 0])[expected])


def test_few_labelled_examples_are_refused(folder, source):
    with pytest.raises(DataError, match="60 labelled examples of the target, and 61"):
        read_labelled(f"npz:{folder / two_domains.LABELLED}", source, fewest=61)


def test_labelled_examples_of_test_are_refused(folder, source):
    with pytest.raises(DataError, match="in validation or test of the source"):
        read_labelled(f"npz:{folder / two_domains.SOURCE}", source, fewest=50)
