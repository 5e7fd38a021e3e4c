"""Data sets of Hugging Face, passed in Python and by `hf:`, with the real library."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from pipelines.data.checks.content_hashes import content_hashes
from pipelines.data.in_memory.frames import of_hugging_face
from pipelines.data.in_memory.referenced import referenced
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError

datasets = pytest.importorskip("datasets")
COUNT = 40


def png(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 8, 3)).astype("u1")
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def photos():
    return datasets.Dataset.from_dict(
        {
            "photo": [{"bytes": png(i), "path": None} for i in range(COUNT)],
            "breed": [i % 2 for i in range(COUNT)],
        },
        features=datasets.Features(
            {
                "photo": datasets.Image(),
                "breed": datasets.ClassLabel(names=["cat", "dog"]),
            }
        ),
    )


@pytest.fixture(scope="module")
def split(photos):
    parts = {"train": photos.select(range(30)), "test": photos.select(range(30, COUNT))}
    return datasets.DatasetDict(parts)


def loaded(reference):
    return load(DatasetRef.parse(reference))


def test_columns_follow_from_features(photos):
    passed = of_hugging_face(photos, {})
    assert passed.y.tolist()[:3] == ["cat", "dog", "cat"]
    assert len(passed.x) == COUNT


def test_every_way_gives_the_same_splits(photos, tmp_path):
    photos.save_to_disk(str(tmp_path / "saved"))
    for i in range(COUNT):
        folder = tmp_path / "folder" / ("cat", "dog")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:02}.png").write_bytes(png(i))
    of_folder = loaded(f"dir:{tmp_path / 'folder'}")
    with referenced(photos, {}) as (passed, _):
        for reference in (passed, f"hf:{tmp_path / 'saved'}"):
            way = loaded(reference)
            assert way.info.fingerprint == of_folder.info.fingerprint
            ours, theirs = (content_hashes(s.test.inputs) for s in (way, of_folder))
            assert set(ours) == set(theirs)


def test_splits_of_a_dict_stay(split, tmp_path):
    split.save_to_disk(str(tmp_path / "saved"))
    with referenced(split, {}) as (reference, _):
        passed = loaded(reference)
    saved = loaded(f"hf:{tmp_path / 'saved'}")
    assert saved.info.fingerprint == passed.info.fingerprint
    assert (len(saved.test), len(saved.train) + len(saved.validation)) == (10, 30)


def test_texts_and_columns_by_name(tmp_path):
    rows = {
        "words": [f"text {i}" for i in range(12)],
        "mood": ["sad", "glad"] * 6,
        "text": [""] * 12,
    }
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "saved"))
    splits = loaded(f"hf:{tmp_path / 'saved'}?text=words&label=mood")
    assert splits.info.class_names == ("glad", "sad")


def test_several_columns_of_labels_are_asked_about(photos):
    mood = datasets.ClassLabel(names=["sad", "glad"])
    several = photos.add_column("mood", [0, 1] * 20).cast_column("mood", mood)
    with pytest.raises(DataError, match=r"could be the label: breed, mood"):
        of_hugging_face(several, {})
    assert set(of_hugging_face(several, {"label": "mood"}).y) == {"sad", "glad"}


def test_labels_that_are_missing_are_named(photos):
    unknown = photos.remove_columns("breed").add_column("breed", [-1] + [1] * 39)
    label = datasets.ClassLabel(names=["cat", "dog"])
    with pytest.raises(DataError, match="missing for 1 examples: 0"):
        of_hugging_face(unknown.cast_column("breed", label), {})


def test_places_that_hold_no_data_set_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="neither dataset_info.json nor"):
        loaded(f"hf:{tmp_path}")
    with pytest.raises(DataError, match="neither dataset_info.json nor"):
        loaded(f"hf:{tmp_path / 'nothing'}")
    with pytest.raises(DataError, match="'nobody/nothing' cannot be loaded"):
        loaded("hf:nobody/nothing")
    (tmp_path / "dataset_info.json").write_text("{")
    with pytest.raises(DataError, match="cannot be loaded"):
        loaded(f"hf:{tmp_path}")


def test_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"zootune\[huggingface\]"):
        loaded("hf:anything")
