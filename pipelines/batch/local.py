"""Predictions or features for a whole source into one file, by this process."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from pipelines.batch.output import Identity, Output, identity, open_output
from pipelines.batch.rows import (
    PREDICTIONS,
    form_of,
    header,
    line_of,
    predicted,
)
from pipelines.batch.source import Source, parse
from pipelines.runtime.startup import start_tensorflow
from pipelines.serving.artifact import Artifact, open_verified
from zoo.published import columns_of

# The work that may be done twice. Batches start anew with every write, so that a file
# that was cut short and goes on has the same bytes as one written at one go.
_ROWS_PER_WRITE = 128

OnProgress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class Written:
    """The counts of an output: rows in all, those not valid, and new ones."""

    path: str
    examples: int
    invalid: int
    new: int


def predict_to_file(
    artifact: Path,
    source: str,
    to: Path,
    *,
    kind: str = PREDICTIONS,
    on_progress: OnProgress,
) -> Written:
    """Predictions for a folder of images or a table, a row for each example, in order.

    With the kind `features`, a row holds what the head reads of an example.
    Memory does not grow with the number of examples. Cut short at any moment, the same
    call goes on where it was; of a finished output, it changes nothing.

    Raises:
        DataError: if there is nothing to predict.
        ConfigError: if `to` cannot be the output of this artifact and these data.
        ArtifactError: if the artifact is not what was published.
    """
    form = form_of(to, kind=kind)
    opened = open_verified(artifact)
    facts = opened.manifest.preprocessing
    columns = columns_of(facts.get("columns") or ())
    inputs = parse(source, modality=facts["modality"], columns=columns)
    whose = identity(opened.manifest, inputs.fingerprint(), kind=kind)
    with open_output(to, whose) as output:
        before = output.progress.rows
        if before < whose.examples:
            _write_rest(opened, inputs, output, form, whose, on_progress)
        done = output.progress
    return Written(str(to), done.rows, done.invalid, done.rows - before)


def _write_rest(
    opened: Artifact,
    inputs: Source,
    output: Output,
    form: str,
    whose: Identity,
    on_progress: OnProgress,
) -> None:
    start_tensorflow("tensorflow")
    from pipelines.serving.predictor import Predictor

    predictor = Predictor(opened)
    columns = inputs.columns
    items = inputs.items(output.progress.rows)
    while rows := list(
        predicted(predictor, islice(items, _ROWS_PER_WRITE), kind=whose.kind)
    ):
        text = "" if output.progress.bytes else header(form, columns, rows[0])
        text += "".join(line_of(form, columns, row) for row in rows)
        invalid = sum(not row["valid"] for row in rows)
        output.append(text, rows=len(rows), invalid=invalid)
        on_progress(output.progress.rows, whose.examples)
