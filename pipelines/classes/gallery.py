"""The gallery of a run, brought up to date with changed classes.

Its pictures were chosen and made while the data were at hand. After a change they stand
for the same examples, with the labels and answers of now.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.features.kept_features import KeptFeatures
from pipelines.report.gallery_files import FILE_NAME, FOLDER
from pipelines.report.predictions import PredictionRow
from zoo.storage import durable

_ROLES_OF_WRONG, _ROLES_OF_RIGHT = ("mistake", "pair"), ("typical",)

_logger = logging.getLogger("zootune")

_Entry = Mapping[str, Any]


def update_gallery(
    folder: Path, kept: KeptFeatures, rows: Iterable[PredictionRow]
) -> None:
    """Writes `gallery.json` of a run folder anew, with the new `rows` of predictions.

    Examples of a class that went are taken out with their pictures, and so are those
    that are no longer an example of anything: a mistake that is answered right now. A
    gallery that cannot be read is removed with a warning; without one nothing happens.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        before = values["examples"]
        now = list(_updated(before, kept, rows))
        pictures = _pictures(before) - _pictures(now)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _logger.warning(
            "%s cannot be read (%r): it is removed, and the page has no examples.",
            path,
            error,
        )
        path.unlink()
        return
    durable.write_whole(path, [json.dumps({**values, "examples": now}).encode()])
    for name in pictures:
        (folder / FOLDER / Path(name).name).unlink(missing_ok=True)


def _updated(
    entries: Iterable[_Entry], kept: KeptFeatures, rows: Iterable[PredictionRow]
) -> Iterator[_Entry]:
    answered = _by_name(rows)
    trained: dict[str, tuple[int, int]] = {}
    # Examples of the run come first, and one that was added may have a name of theirs.
    for row, name in enumerate(kept.train.names.tolist()):
        trained.setdefault(name, (row, int(kept.train.labels[row])))
    for entry in entries:
        if entry["split"] == "train":
            if entry["name"] in trained:
                row, label = trained[entry["name"]]
                yield {**entry, "row": row, "label": kept.class_names[label]}
        elif answer := answered.get((entry["split"], entry["name"])):
            yield from _answered(entry, *answer)


def _by_name(
    rows: Iterable[PredictionRow],
) -> dict[tuple[str, str], tuple[int, PredictionRow]]:
    """Each prediction with its row in its split."""
    counts: dict[str, int] = {}
    answered: dict[tuple[str, str], tuple[int, PredictionRow]] = {}
    for row in rows:
        place = counts.get(row.split, 0)
        counts[row.split] = place + 1
        answered.setdefault((row.split, row.example), (place, row))
    return answered


def _answered(entry: _Entry, place: int, row: PredictionRow) -> Iterator[_Entry]:
    """The entry with its answer of now, in the roles that still fit."""
    fitting = _ROLES_OF_RIGHT if row.is_right else _ROLES_OF_WRONG
    roles = [role for role in entry["roles"] if role in fitting]
    if roles:
        yield {
            **entry,
            "roles": roles,
            "row": place,
            "label": row.label,
            "predicted": row.predicted,
            "confidence": round(row.confidence, 6),
        }


def _pictures(entries: Iterable[_Entry]) -> set[str]:
    return {
        entry[name]
        for entry in entries
        for name in ("picture", "heat")
        if name in entry
    }
