"""A data card says field by field what a run was trained on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.data.data_card import as_markdown, card_of
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import DataInfo, Series, Split, Splits, Texts

VERSIONS = {"python": "3.11", "zootune": "0.1"}


def photos(root: Path) -> str:
    """18 images of two sizes, one of them turned, 2 of them copies, and 1 bad file."""
    rng = np.random.default_rng(0)
    for i in range(18):
        path = root / ("rare" if i < 6 else "common|b") / f"{i:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        height, width = [(20, 30), (20, 30), (40, 50)][i % 3]
        exif = Image.Exif()
        if i == 7:
            exif[0x0112] = 6
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, exif=exif)
    for i in (16, 17):
        source = root / "common|b" / "15.jpg"
        (root / "common|b" / f"{i}.jpg").write_bytes(source.read_bytes())
    (root / "rare" / "bad.jpg").write_bytes(b"")
    return f"dir:{root}?on_bad=skip&bad_limit=0.1&seed=2"


def test_every_field_of_a_card(tmp_path: Path) -> None:
    reference = photos(tmp_path / "photos")
    splits = load(DatasetRef.parse(reference))
    card = card_of(splits, seed=5, versions=VERSIONS)
    assert card == json.loads(json.dumps(card))
    counts = card.pop("counts")
    assert set(counts) == {"train", "validation", "test"}
    assert [sum(counts[part][name] for part in counts) for name in counts["train"]] == [
        12,
        6,
    ]
    examples = card.pop("examples")
    assert examples == {part: sum(counts[part].values()) for part in counts}
    prints = card.pop("fingerprints")
    for part in (splits.train, splits.validation, splits.test):
        lines = sorted(
            f"{hashlib.sha256(Path(path).read_bytes()).hexdigest()}"
            f" {splits.info.class_names[label]}\n"
            for path, label in zip(part.inputs.paths, part.labels)
        )
        wanted = hashlib.sha256("".join(lines).encode()).hexdigest()
        assert prints[part.name] == wanted
    ratio = counts["train"]["common|b"] / counts["train"]["rare"]
    assert card == {
        "reference": str(DatasetRef.parse(reference)),
        "modality": "image",
        "seed": 5,
        "versions": VERSIONS,
        "largest_to_smallest_class": round(ratio, 2),
        "sizes": {
            "examples": 18,
            "spread": {
                "width": {"smallest": 20, "median": 30.0, "largest": 50},
                "height": {"smallest": 20, "median": 20.0, "largest": 40},
            },
        },
        "fingerprint": splits.info.fingerprint,
        "copies": {
            "examples": 2,
            "treatment": "kept, each in the split of the first with the same content",
        },
        "notes": [],
        "skipped": {"empty file": 1},
        "skipped_files": [{"name": "rare/bad.jpg", "reason": "empty file"}],
    }


def test_the_page_says_what_the_card_says(tmp_path: Path) -> None:
    splits = load(DatasetRef.parse(photos(tmp_path / "photos")))
    card = card_of(splits, seed=5, versions=VERSIONS)
    page = as_markdown(card).splitlines()
    train, validation, test = card["examples"].values()
    assert f"| all | {train} | {validation} | {test} |" in page
    assert any(line.startswith("| common\\|b | ") for line in page)
    for line in (
        "| width | 20 | 30 | 50 |",
        f"| test | `{card['fingerprints']['test']}` |",
        "| empty file | 1 |",
        "| zootune | 0.1 |",
    ):
        assert line in page


def small(inputs) -> Splits:
    parts = [
        Split(name, inputs, np.arange(len(inputs)) % 2)
        for name in ("train", "validation", "test")
    ]
    counts = {part.name: {"a": 1, "b": 1} for part in parts}
    return Splits(*parts, info=DataInfo(("a", "b"), counts, "0" * 64, "npz:x"))


def test_sizes_of_texts_and_series() -> None:
    texts = small(Texts(np.array(["naïve".encode(), b"b"], object)))
    found = card_of(texts, seed=0, versions={})["sizes"]
    assert found["spread"] == {
        "characters": {"smallest": 1, "median": 3.0, "largest": 5}
    }
    series = small(Series(np.zeros((2, 7, 3), np.float32)))
    spread = card_of(series, seed=0, versions={})["sizes"]["spread"]
    assert [spread[name]["median"] for name in ("steps", "channels")] == [7, 3]
