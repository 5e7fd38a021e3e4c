"""Stage 8: a few examples as small files, for the page of the run.

The page is made of plain files, long after the data may have moved. So pictures are
chosen and made while the run has its data at hand: worst mistakes, pairs of classes
that are confused, typical examples of each class, and samples of training.
"""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf

from pipelines.data.input.batches import batches
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import DataInfo, Split, Splits
from pipelines.problems.class_reports import calibrated_scores
from pipelines.problems.registry import problem_of
from pipelines.serving.signatures import explanation
from pipelines.stages.calibrate import Calibrated
from pipelines.stages.explain import explained_map
from pipelines.stages.gallery.answer_picks import pick_answers
from pipelines.stages.gallery.contents import write_content, write_heat
from pipelines.stages.gallery.picks import Answered, pick, samples
from pipelines.stages.outputs import answering
from pipelines.stages.predictions import example_names, held_out_rows
from pipelines.training.transfer_model import TransferModel
from zoo.storage import durable

FILE_NAME, FOLDER = "gallery.json", "gallery"
FORMAT = 1
# Each is a pass forward and back, and the page shows the first of them at once.
_MOST_HEATS = 32
_BATCH_SIZE = 16

_logger = logging.getLogger("zootune")


def write_gallery(
    folder: Path,
    splits: Splits,
    calibrated: Calibrated,
    model: TransferModel,
    *,
    explain: bool,
) -> None:
    """Writes `gallery.json` and the pictures in `gallery/` to the folder of a run.

    With `explain` the mistakes and typical examples have a second picture, of where the
    network looked, where each example has one class. A gallery that cannot be made is a
    warning, and costs no run.
    """
    reads_classes = problem_of(splits).reads_classes
    try:
        shutil.rmtree(folder / FOLDER, ignore_errors=True)
        (folder / FILE_NAME).unlink(missing_ok=True)
        make = _entries if reads_classes else _entries_of_answers
        entries = make(folder / FOLDER, splits, calibrated)
        if explain and reads_classes:
            _add_heat(folder / FOLDER, entries, splits.test, calibrated, model)
        values = {
            "format": FORMAT,
            "modality": splits.test.inputs.modality,
            "examples": entries,
        }
        content = json.dumps(values, indent=1).encode()
        durable.write_whole(folder / FILE_NAME, [content])
    # Of hours of training nothing may be lost for a picture, whatever is in the way.
    except Exception as error:  # noqa: BLE001
        _logger.warning(
            "The page of this run has no examples: they could not be written to"
            " %s (%s: %s).",
            folder / FOLDER,
            type(error).__name__,
            error,
        )


def _entries(
    folder: Path, splits: Splits, calibrated: Calibrated
) -> list[dict[str, Any]]:
    """An entry for each chosen example; images have their picture in the folder."""
    outputs, info = calibrated.test, splits.info
    scores = calibrated_scores(calibrated.calibration, outputs)
    roles: dict[int, list[str]] = {}
    answered = Answered(
        outputs.labels, scores.predicted, scores.confidence, outputs.features
    )
    for role, rows in pick(answered).items():
        for row in rows:
            roles.setdefault(row, []).append(role)
    folder.mkdir(parents=True)
    tests = [
        {
            "roles": roles[row],
            **_example(folder, splits.test, row, info),
            "predicted": info.class_names[scores.predicted[row]],
            "confidence": round(float(scores.confidence[row]), 6),
        }
        for row in roles
    ]
    return tests + [
        {"roles": ["sample"], **_example(folder, splits.train, row, info)}
        for row in samples(splits.train.labels)
    ]


def _entries_of_answers(
    folder: Path, splits: Splits, calibrated: Calibrated
) -> list[dict[str, Any]]:
    """Entries where labels are several, or numbers; there are no samples."""
    rows = (row for row in held_out_rows(calibrated, splits) if row.split == "test")
    picked = pick_answers(rows)
    folder.mkdir(parents=True)
    return [
        {
            "roles": [pick.role],
            **_content(folder, splits.test, pick.row, splits.info),
            "label": pick.label,
            "predicted": pick.predicted,
            **({} if pick.confidence is None else {"confidence": pick.confidence}),
        }
        for pick in picked
    ]


def _example(folder: Path, split: Split, row: int, info: DataInfo) -> dict[str, Any]:
    """The entry of one example with its class."""
    return {
        **_content(folder, split, row, info),
        "label": info.class_names[split.labels[row]],
    }


def _content(folder: Path, split: Split, row: int, info: DataInfo) -> dict[str, Any]:
    """What there is to see of an example, named as in the kept predictions."""
    ref = DatasetRef.parse(info.reference)
    return {
        "split": split.name,
        "row": row,
        "name": next(example_names(split.take([row]), ref)),
        **write_content(folder, split.inputs, row, f"{split.name}_{row}"),
    }


def _add_heat(
    folder: Path,
    entries: list[dict[str, Any]],
    split: Split,
    calibrated: Calibrated,
    model: TransferModel,
) -> None:
    """Adds `heat` to entries: the picture with the places that spoke for the answer."""
    asked = [
        entry
        for entry in entries
        if "picture" in entry and not {"mistake", "typical"}.isdisjoint(entry["roles"])
    ][:_MOST_HEATS]
    if not asked:
        return
    answers = answering(model)
    last_map = explained_map(model.backbone, model.last_block)
    look = explanation(answers, last_map, calibrated.calibration)
    inputs = batches(
        split.take([entry["row"] for entry in asked]),
        input_size_px=model.backbone.input_size_px,
        batch_size=_BATCH_SIZE,
    )
    # Traced once, and not again for a last batch of another size.
    traced = tf.function(
        look, input_signature=[inputs.element_spec[0]], autograph=False
    )
    heats = (heat for pixels, _ in inputs for heat in traced(pixels)[0].numpy())
    for entry, heat in zip(asked, heats):
        entry["heat"] = write_heat(folder, entry["picture"], heat)
