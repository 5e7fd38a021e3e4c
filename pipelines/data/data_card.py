"""The data card of a run: a record of its data, for people who ask later."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from pipelines.data.images import exif
from pipelines.data.images.encoded import encoded_bytes
from pipelines.data.images.file_types import kind_of
from pipelines.data.split_names import SPLIT_NAMES
from pipelines.data.splits import (
    EncodedImages,
    ImageArray,
    ImageFiles,
    ImageRecords,
    Inputs,
    Series,
    Sounds,
    Splits,
    Table,
    Texts,
)
from pipelines.display.text import shown
from pipelines.errors import DataError

# The number of files whose headers are read, spread evenly: a second, not minutes.
_MEASURED = 2000
_COPIES = "kept, each in the split of the first with the same content"


def card_of(
    splits: Splits, *, seed: int, versions: Mapping[str, str]
) -> dict[str, Any]:
    """Counts, sizes, fingerprints, copies and what was skipped, ready for JSON.

    Sizes are pixels of upright images, characters of texts, steps and channels of
    series, and columns of tables with the missing values of a row. `seed` is the seed
    of the run; the reference has the seed of the splits.
    """
    info = splits.info
    parts = [getattr(splits, name) for name in SPLIT_NAMES]
    return {
        "reference": info.reference,
        "modality": parts[0].inputs.modality,
        "seed": seed,
        "versions": dict(versions),
        "examples": {part.name: len(part) for part in parts},
        "counts": {name: dict(counts) for name, counts in info.counts.items()},
        "largest_to_smallest_class": _ratio(info.counts["train"]),
        "sizes": _sizes([part.inputs for part in parts]),
        "fingerprint": info.fingerprint,
        "fingerprints": dict(info.fingerprints),
        "copies": {"examples": info.copies, "treatment": _COPIES},
        "notes": list(info.notes),
        "skipped": reasons(info.skipped),
        "skipped_files": [
            {"name": name, "reason": reason} for name, reason in info.skipped
        ],
    }


def reasons(skipped: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The number of examples that were left out for each reason."""
    return dict(Counter(reason for _, reason in skipped))


def as_markdown(card: Mapping[str, Any]) -> str:
    """A data card as a page to read."""
    head = [
        "# Data card",
        "",
        f"`{card['reference']}`: {card['modality']}, fingerprint"
        f" `{card['fingerprint']}`. Seed of the run: {card['seed']}.",
        "",
        f"Copies: {card['copies']['examples']}, {card['copies']['treatment']}.",
        f"The largest class has {card['largest_to_smallest_class']:g} times as many"
        " training examples as the smallest.",
        *(line for note in card["notes"] for line in ("", shown(note))),
    ]
    names = list(card["counts"])
    counts = [
        [name, *(str(card["counts"][split][name]) for split in names)]
        for name in card["counts"]["train"]
    ]
    totals = ["all", *(str(card["examples"][split]) for split in names)]
    prints = [[split, f"`{card['fingerprints'][split]}`"] for split in names]
    sizes = [
        [column, *(f"{value:g}" for value in spread.values())]
        for column, spread in card["sizes"]["spread"].items()
    ]
    skipped = [[reason, str(count)] for reason, count in card["skipped"].items()]
    versions = [[name, version] for name, version in card["versions"].items()]
    sizes_title = f"Sizes of {card['sizes']['examples']} examples"
    return "\n".join(
        [
            *head,
            *_table("Examples", ["class", *names], [*counts, totals]),
            *_table(sizes_title, ["", "smallest", "median", "largest"], sizes),
            *_table("Fingerprints", ["split", "sha256"], prints),
            *_table("Skipped", ["reason", "files"], skipped or [["none", "0"]]),
            *_table("Versions", ["", ""], versions),
            "",
        ]
    )


def _table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    for row in (header, ["---"] * len(header), *rows):
        # A name may hold what ends a cell or a line.
        cells = (" ".join(cell.replace("|", "\\|").split()) for cell in row)
        yield f"| {' | '.join(cells)} |"


def _ratio(counts: Mapping[str, int]) -> float:
    # A kind that no training example is of, such as an anomaly, has no size.
    sizes = [count for count in counts.values() if count]
    return round(max(sizes) / min(sizes), 2)


def _sizes(parts: Sequence[Inputs]) -> dict[str, Any]:
    """The spread of sizes, and the number of measured examples."""
    columns: list[str] = []
    rows: list[tuple[int, ...]] = []
    for inputs in parts:
        columns, measured = sizes_of(inputs, _MEASURED // len(parts))
        rows += measured
    return {
        "examples": len(rows),
        "spread": {
            column: {
                "smallest": int(min(values)),
                "median": float(np.median(values)),
                "largest": int(max(values)),
            }
            for column, values in zip(columns, zip(*rows))
        },
    }


def sizes_of(inputs: Inputs, at_most: int) -> tuple[list[str], list[tuple[int, ...]]]:
    """The names of the measures, and a row for each measured example.

    Of images in files the headers are read, of `at_most` of them, spread evenly.
    """
    match inputs:
        case ImageFiles() | ImageRecords():
            spread = np.linspace(0, len(inputs) - 1, min(at_most, len(inputs)))
            sizes = (_encoded_size(inputs, int(i)) for i in spread)
            return ["width", "height"], [size for size in sizes if size]
        case ImageArray(held):
            height, width = held.shape[1:3]
            return ["width", "height"], [(width, height)] * len(inputs)
        case Texts(texts):
            return ["characters"], [(len(text.decode()),) for text in texts]
        case Sounds():
            return (
                ["milliseconds", "rate_hz", "channels"],
                [
                    (round(each.milliseconds), each.rate_hz, each.channels)
                    for each in inputs.inspections
                ],
            )
        case Series(values):
            return ["steps", "channels"], [values.shape[1:]] * len(values)
        case Table(_, values):
            missing = np.isnan(values).sum(axis=1)
            return ["columns", "missing"], [
                (values.shape[1], int(count)) for count in missing
            ]


def _encoded_size(images: EncodedImages, i: int) -> tuple[int, int] | None:
    """Width and height of an upright image, from its header; None if Pillow fails."""
    try:
        content = encoded_bytes(images, i)
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
        sideways = kind_of(content) == "JPEG" and exif.orientation(content) >= 5
    except (DataError, OSError, SyntaxError, Image.DecompressionBombError):
        return None
    return (height, width) if sideways else (width, height)
