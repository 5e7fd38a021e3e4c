"""Formats of finished runs, by their accuracy and the milliseconds of an answer.

On validation: a choice by the test split would make its accuracy too good.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import ArtifactError, ConfigError
from pipelines.formats import publishing
from pipelines.formats.targets import SAVED_MODEL, Target, parse, require_installed

if TYPE_CHECKING:
    from pipelines.formats.proof import Reference
    from pipelines.serving.artifact import Artifact
    from pipelines.serving.predictor import Predictor

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True)
class FormatCost:
    """A format of a run: its quality on validation, and its time on this machine.

    `milliseconds` is the median and `p95_milliseconds` the 95th percentile of single
    examples after warm-up, without decoding. `is_best_so_far` is true where everything
    as fast is less accurate.
    """

    run: str
    backbone: str
    format: str
    bytes: int
    metric: str
    quality: float
    milliseconds: float
    p95_milliseconds: float
    is_best_so_far: bool = False


@dataclasses.dataclass(frozen=True)
class Budget:
    """Formats, fastest first, and the best that answers within the budget, if any.

    `left_out` are formats that a run could not have, with reasons.
    """

    latency_ms: float
    rows: tuple[FormatCost, ...]
    best: FormatCost | None
    left_out: tuple[tuple[str, str, str], ...]

    def values(self) -> dict[str, Any]:
        """The budget as plain values, ready for JSON."""
        return dataclasses.asdict(self)


def budget(
    runs: Sequence[Path],
    *,
    latency_ms: float,
    formats: str = "savedmodel,litert,onnx",
    data: str | None = None,
) -> Budget:
    """Measures the formats of finished runs one by one, and chooses among them.

    Nothing is published. `data` is where the data of the runs are now, if they moved.

    Raises:
        ConfigError: if a run has not finished, a format is unknown or not installed,
            or runs are compared by different measures.
        DataError: if a run was trained on other data.
    """
    if not latency_ms > 0:
        raise ConfigError(
            f"--latency-ms is {latency_ms:g}; it is above 0, such as --latency-ms=20."
        )
    targets = parse(formats)
    require_installed(targets)
    opened = [(run, *publishing.finished(run)) for run in runs]
    rows: list[FormatCost] = []
    left_out: list[tuple[str, str, str]] = []
    for run, reference, source in opened:
        for format_name, cost in _costs_of(run, source, data or reference, targets):
            if isinstance(cost, FormatCost):
                rows.append(cost)
            else:
                left_out.append((str(run), format_name, cost))
    return chosen(rows, latency_ms=latency_ms, left_out=left_out)


def chosen(
    rows: Sequence[FormatCost],
    *,
    latency_ms: float,
    left_out: Sequence[tuple[str, str, str]] = (),
) -> Budget:
    """The rows, fastest first, with the best one whose 95th percentile is allowed.

    Raises:
        ConfigError: if they are of different measures.
    """
    metrics = {row.metric for row in rows}
    if len(metrics) > 1:
        raise ConfigError(
            f"The runs are measured by {' and '.join(sorted(metrics))}, which cannot be"
            " compared. Name runs of one kind of problem."
        )
    ordered = sorted(rows, key=lambda row: (row.p95_milliseconds, -row.quality))
    reached, marked = float("-inf"), []
    for row in ordered:
        better = row.quality > reached
        marked.append(dataclasses.replace(row, is_best_so_far=better))
        reached = max(reached, row.quality)
    allowed = [row for row in marked if row.p95_milliseconds <= latency_ms]
    best = max(allowed, key=lambda row: row.quality, default=None)
    return Budget(latency_ms, tuple(marked), best, tuple(left_out))


def _costs_of(
    run: Path, source: Artifact, data: str, targets: Sequence[Target]
) -> Iterator[tuple[str, FormatCost | str]]:
    """Each format with its cost, or the reason why the run cannot have it."""
    from pipelines.data.reference import DatasetRef
    from pipelines.serving.predictor import Predictor

    predictor = Predictor(source)
    splits = publishing.splits_of(DatasetRef.parse(data), source.manifest)
    with tempfile.TemporaryDirectory(prefix="zootune_budget_") as folder:
        scratch = Path(folder)
        reference = publishing.reference_of(predictor, splits.validation, scratch)
        size = sum(p.stat().st_size for p in source.path.rglob("*") if p.is_file())
        yield SAVED_MODEL, _cost(run, predictor, reference, SAVED_MODEL, size)
        if not targets:
            return
        some = publishing.representative_of(predictor, splits.train)
        for target in targets:
            _logger.info("%s: %s", run, target.name)
            file = scratch / Path(target.file).name
            try:
                yield (
                    target.name,
                    _converted(run, target, predictor, reference, some, file),
                )
            except ArtifactError as error:
                yield target.name, str(error)


def _converted(
    run: Path,
    target: Target,
    predictor: Predictor,
    reference: Reference,
    representative: Any,
    file: Path,
) -> FormatCost:
    from pipelines.formats.conversion import convert
    from pipelines.formats.proof import prove

    file.write_bytes(convert(target, predictor, representative))
    # What it loses is shown and chosen by, and nothing is published.
    record = prove(target, file, reference, max_accuracy_loss=1.0)
    return FormatCost(
        run=str(run),
        backbone=_backbone_of(predictor),
        format=target.name,
        bytes=record["bytes"],
        metric=record["metric"],
        quality=record[record["metric"]],
        milliseconds=1000 * record["seconds_per_example"],
        p95_milliseconds=1000 * record["p95_seconds_per_example"],
    )


def _cost(
    run: Path, predictor: Predictor, reference: Reference, name: str, size: int
) -> FormatCost:
    return FormatCost(
        run=str(run),
        backbone=_backbone_of(predictor),
        format=name,
        bytes=size,
        metric=reference.measure.metric,
        quality=reference.quality,
        milliseconds=1000 * reference.seconds,
        p95_milliseconds=1000 * reference.p95_seconds,
    )


def _backbone_of(predictor: Predictor) -> str:
    manifest = predictor.artifact.manifest
    size = manifest.preprocessing.get("input_size_px")
    name = str(manifest.model["backbone"])
    return f"{name}, {size} px" if size else name
