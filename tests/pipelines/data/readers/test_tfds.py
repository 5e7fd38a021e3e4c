"""Data that TensorFlow Datasets prepared: real ones, made here without the internet."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from pipelines.data.load import load
from pipelines.data.readers.tfds import read
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import ImageRecords, Texts
from pipelines.errors import DataError

FEATURES = {
    "picture": tfds.features.Image(shape=(None, None, 3)),
    "kind": tfds.features.ClassLabel(names=["zebra", "ant"]),
    "patient": tfds.features.Text(),
}


def pixels(i: int) -> np.ndarray:
    rng = np.random.default_rng(i)
    return rng.integers(0, 256, (6 + i % 3, 8, 3), dtype=np.uint8)


def store(folder: Path, features: dict, splits: dict[str, list], **options) -> None:
    """Prepares a data set `made` of version 1.0.0, as TFDS' own writer does."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name="made",
        version="1.0.0",
        data_dir=folder,
        features=tfds.features.FeaturesDict(features),
        split_datasets={k: list(enumerate(rows)) for k, rows in splits.items()},
        **options,
    )


def picture(i: int) -> dict:
    return {"picture": pixels(i), "kind": i % 2, "patient": f"p{i // 4}"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tfds")
    splits = {
        "train": [picture(i) for i in range(40)],
        "test": [picture(i) for i in range(40, 50)],
        "extra": [picture(i) for i in range(50, 53)],
    }
    store(folder, FEATURES, splits)
    return folder


def ref(folder: Path, options: str = "", location: str = "made") -> DatasetRef:
    return DatasetRef.parse(f"tfds:{location}?data_dir={folder}{options}")


def test_images_labels_and_splits_are_those_of_tfds(prepared: Path) -> None:
    examples = read(ref(prepared))
    assert isinstance(examples.inputs, ImageRecords)
    assert examples.class_names == ("zebra", "ant")
    assert examples.splits.count("train") == 40
    assert examples.splits.count("test") == 10
    # TFDS orders by a hash of the keys; both orders are the same one.
    builder = tfds.builder_from_directory(prepared / "made" / "1.0.0")
    theirs = builder.as_dataset(
        split="train", decoders={"picture": tfds.decode.SkipDecoding()}
    )
    ours = [i for i, split in enumerate(examples.splits) if split == "train"]
    for i, row in zip(ours, theirs.as_numpy_iterator(), strict=True):
        start, length = examples.inputs.start[i], examples.inputs.length[i]
        shard = examples.inputs.shards[examples.inputs.shard[i]]
        content = Path(shard).read_bytes()[start : start + length]
        assert content == row["picture"]
        assert examples.labels[i] == row["kind"]


def test_they_are_split_and_hashed_like_any_data(prepared: Path) -> None:
    splits = load(ref(prepared))
    assert splits.info.counts == {
        "train": {"zebra": 17, "ant": 17},
        "validation": {"zebra": 3, "ant": 3},
        "test": {"zebra": 5, "ant": 5},
    }
    grouped = read(ref(prepared, "&group=patient"))
    assert len(set(grouped.groups)) == 13


@pytest.mark.parametrize("location", ["made:1.0.0", "made/1.0.0"])
def test_a_version_or_its_folder_can_be_named(prepared: Path, location: str) -> None:
    if ":" in location:
        assert len(read(ref(prepared, location=location))) == 50
        with pytest.raises(DataError, match="no prepared data set 'made:2.0.0'"):
            read(ref(prepared, location="made:2.0.0"))
    else:
        assert len(read(DatasetRef("tfds", str(prepared / location)))) == 50
        with pytest.raises(DataError, match="has no dataset_info.json"):
            read(DatasetRef("tfds", str(prepared / "made/gone")))


def test_a_sequence_of_class_labels_is_a_list(tmp_path: Path) -> None:
    kinds = tfds.features.Sequence(tfds.features.ClassLabel(names=["cat", "dog"]))
    features = {"picture": tfds.features.Image(), "kinds": kinds}
    lists = [[0], [0, 1], [], [1]]
    rows = [{"picture": pixels(i), "kinds": kind} for i, kind in enumerate(lists)]
    store(tmp_path, features, {"train": rows})
    examples = read(ref(tmp_path), problem="multi_label")
    assert (examples.problem, examples.class_names) == ("multi_label", ("cat", "dog"))
    assert sorted(examples.labels.tolist()) == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_texts(tmp_path: Path) -> None:
    features = {
        "text": tfds.features.Text(),
        "label": tfds.features.ClassLabel(names=["no", "yes"]),
    }
    rows = [{"text": f"naïve {i}", "label": i % 2} for i in range(20)]
    store(tmp_path, features, {"train": rows})
    examples = read(ref(tmp_path))
    assert isinstance(examples.inputs, Texts)
    values = sorted(value.decode() for value in examples.inputs.values)
    assert values == sorted(row["text"] for row in rows)
    assert len(load(ref(tmp_path)).validation) == 4


def test_the_layout_of_image_folder(tmp_path: Path) -> None:
    for i in range(20):
        path = tmp_path / ("train" if i < 12 else "test") / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(i)).save(path)
    examples = read(DatasetRef("tfds", str(tmp_path)))
    theirs = tfds.ImageFolder(str(tmp_path)).info
    assert examples.class_names == tuple(theirs.features["label"].names)
    for name in ("train", "test"):
        assert examples.splits.count(name) == theirs.splits[name].num_examples
    groups = read(DatasetRef("tfds", str(tmp_path), group="([0-9])")).groups
    assert set(groups) == set("0123456789")
    for option in ("image", "data_dir"):
        with pytest.raises(DataError, match="no features to name|data_dir= means noth"):
            read(DatasetRef("tfds", str(tmp_path), **{option: "x"}))


class ZooMadeHere(tfds.core.GeneratorBasedBuilder):
    """A data set whose code is known, and which needs no download."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(FEATURES)
        )

    def _split_generators(self, dl_manager):
        return {"train": enumerate(picture(i) for i in range(20))}

    def _generate_examples(self):
        raise NotImplementedError  # the splits are generators already


class ZooToBeFetchedByHand(ZooMadeHere):
    """One that its users must fetch themselves."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = "Ask its author."

    def _split_generators(self, dl_manager):
        return {"train": [str(dl_manager.manual_dir)]}


def test_known_data_set_is_prepared_when_read(tmp_path: Path) -> None:
    location = "zoo_made_here"
    assert len(read(ref(tmp_path, location=location))) == 20
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tfrecord*")}
    assert written
    assert len(read(ref(tmp_path, location=location))) == 20
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())


def test_missing_data_set_gives_advice(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="no prepared data set 'maed' in .*none of"):
        read(ref(prepared, location="maed"))
    with pytest.raises(DataError, match=r"Did you mean 'mnist'\?"):
        read(ref(prepared, location="mnits"))
    how = f"run: tfds build NAME --data_dir={tmp_path} and carry that folder here"
    name = "zoo_to_be_fetched_by_hand"
    with pytest.raises(
        DataError, match=f"could not be downloaded.*{how.replace('NAME', name)}"
    ):
        read(ref(tmp_path, location=name))
    monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
    with pytest.raises(
        DataError, match=f"ZOOTUNE_OFFLINE forbids.*{how.replace('NAME', 'mnist')}"
    ):
        read(ref(tmp_path, location="mnist"))
    assert len(read(ref(prepared))) == 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("&image=pictrue", "no feature 'pictrue' for image=.*mean 'picture'"),
        ("&label=knid", "no feature 'knid' for label=.*mean 'kind'"),
        ("&image=patient", "'patient' is a Text, not an image"),
        ("&group=who", "no feature 'who' for group="),
    ],
)
def test_features_that_are_not_there(
    prepared: Path, options: str, message: str
) -> None:
    assert len(read(ref(prepared, "&image=picture&label=kind"))) == 50
    with pytest.raises(DataError, match=message):
        read(ref(prepared, options))


@pytest.mark.parametrize(
    ("features", "row", "message"),
    [
        (
            {"image": FEATURES["picture"], "id": tfds.features.Text()},
            {"image": pixels(0), "id": "x"},
            r"has 0 features that are class labels \(none\)",
        ),
        (
            {"label": FEATURES["kind"]},
            {"label": 0},
            "neither an image nor a text",
        ),
        (
            {
                "image": tfds.features.Image(shape=(4, 4, 1), dtype=np.float32),
                "label": FEATURES["kind"],
            },
            {"image": np.zeros((4, 4, 1), np.float32), "label": 0},
            "are float32 numbers inside of a PNG",
        ),
    ],
    ids=["no label", "no example", "float"],
)
def test_data_of_another_kind_are_refused(
    tmp_path: Path, features: dict, row: dict, message: str
) -> None:
    store(tmp_path, features, {"train": [row]})
    with pytest.raises(DataError, match=message):
        read(ref(tmp_path))


def test_other_files_and_no_train_split_are_refused(tmp_path: Path) -> None:
    rows = [picture(i) for i in range(4)]
    store(tmp_path / "a", FEATURES, {"train": rows}, file_format="array_record")
    with pytest.raises(DataError, match="array_record files, and only tfrecord"):
        read(ref(tmp_path / "a"))
    store(tmp_path / "b", FEATURES, {"test": rows})
    with pytest.raises(DataError, match="has no train split, and only test"):
        read(ref(tmp_path / "b"))


def test_a_damaged_or_missing_file_is_named(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared, tmp_path / "copy")
    (shard,) = (tmp_path / "copy").rglob("*-train.tfrecord*")
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"Record \d+ of .*made-train.tfrecord.*damag"):
        read(ref(tmp_path / "copy"))
    shard.write_bytes(whole[: 16 + int.from_bytes(whole[:8], "little")])
    with pytest.raises(DataError, match="has 11 records, and its .* says 50"):
        read(ref(tmp_path / "copy"))
    shard.unlink()
    with pytest.raises(DataError, match="made-train.tfrecord.* cannot be read"):
        read(ref(tmp_path / "copy"))


def test_a_feature_gives_weights(tmp_path: Path) -> None:
    features = {
        "text": tfds.features.Text(),
        "kind": tfds.features.ClassLabel(names=["a", "b"]),
        "trust": tfds.features.Scalar(np.float32),
    }
    rows = [{"text": f"text {i}", "kind": i % 2, "trust": i / 4} for i in range(6)]
    store(tmp_path, features, {"train": rows})
    examples = read(ref(tmp_path, "&weight=trust"))
    texts = [text.decode() for text in examples.inputs.values]
    assert [float(text[5:]) / 4 for text in texts] == examples.weights.tolist()
    with pytest.raises(DataError, match="no feature 'trusst' for weight=.*'trust'"):
        read(ref(tmp_path, "&weight=trusst"))
