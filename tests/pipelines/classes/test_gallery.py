import dataclasses
import json

import numpy as np
import pytest

from pipelines.classes.change import removed
from pipelines.classes.gallery import update_gallery
from tests.support.finished_runs import rows


def _entry(name, roles, *, split="test", row=0, label="a", **more):
    entry = {"split": split, "name": name, "row": row, "label": label}
    return {**entry, "roles": roles, "picture": f"{split}_{row}.jpg", **more}


@pytest.fixture
def run_with_gallery(tmp_path):
    entries = [
        _entry("0.png", ["sample"], split="train", label="a"),
        _entry("1.png", ["sample"], split="train", row=1, label="b"),
        _entry("x.png", ["mistake", "pair"], predicted="b", heat="x_heat.jpg"),
        _entry("y.png", ["typical"], row=1, predicted="a"),
        _entry("z.png", ["mistake"], row=2, predicted="b"),
        _entry("w.png", ["typical"], row=3, predicted="b", label="b"),
    ]
    (tmp_path / "gallery").mkdir()
    for entry in entries:
        for key in ("picture", "heat"):
            (tmp_path / "gallery" / entry.get(key, "x.jpg")).write_bytes(b"jpeg")
    values = {"format": 1, "modality": "image", "examples": entries}
    (tmp_path / "gallery.json").write_text(json.dumps(values))
    return tmp_path


def test_entries_have_answers_of_now(kept, run_with_gallery):
    answers = [
        ("y.png", "c", "c", 0.9),
        ("x.png", "c", "c", 0.8),
        ("z.png", "c", "a", 0.7),
    ]
    update_gallery(run_with_gallery, removed(kept, "a"), rows(answers))
    values = json.loads((run_with_gallery / "gallery.json").read_text())
    entries = [
        [entry[key] for key in ("name", "row", "label", "roles")]
        for entry in values["examples"]
    ]
    assert entries == [
        ["1.png", 0, "b", ["sample"]],
        ["y.png", 0, "c", ["typical"]],
        ["z.png", 2, "c", ["mistake"]],
    ]
    assert values["examples"][2]["predicted"] == "a"
    assert values["examples"][2]["confidence"] == 0.7
    pictures = {path.name for path in (run_with_gallery / "gallery").iterdir()}
    assert pictures == {"train_1.jpg", "test_1.jpg", "test_2.jpg", "x.jpg"}


def test_added_names_may_be_there_before(kept, run_with_gallery):
    names = np.where(kept.train.names == "7.png", "1.png", kept.train.names)
    train = dataclasses.replace(kept.train, names=names)
    answers = [("y.png", "a", "a", 0.9), ("y.png", "c", "b", 0.8)]
    same = kept.with_classes(kept.class_names, {**kept.splits, "train": train})
    update_gallery(run_with_gallery, same, rows(answers))
    values = json.loads((run_with_gallery / "gallery.json").read_text())
    entries = {entry["name"]: entry for entry in values["examples"]}
    assert (entries["1.png"]["row"], entries["1.png"]["label"]) == (1, "b")
    assert (entries["y.png"]["row"], entries["y.png"]["label"]) == (0, "a")


def test_broken_gallery_is_removed_with_warning(kept, tmp_path, caplog):
    (tmp_path / "gallery.json").write_text('{"examples": [7]}')
    update_gallery(tmp_path, kept, [])
    assert not (tmp_path / "gallery.json").exists()
    assert "the page has no examples" in caplog.text


def test_run_without_gallery_stays_without(kept, tmp_path):
    update_gallery(tmp_path, kept, [])
    assert not list(tmp_path.iterdir())
