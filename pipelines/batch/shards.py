"""Predictions or features of a whole source into many files, by Apache Beam's workers.

A shard is one element, and one call writes its file: the file appears complete, by one
rename, so a run that was cut short does only what is missing. Beam's RunInference would
give rows in any order, to be sorted back into files, and none of them would be finished
before all of them are. https://beam.apache.org/documentation/ml/about-ml/
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipelines.batch import output
from pipelines.batch.local import OnProgress, Written
from pipelines.batch.output import Progress, identity
from pipelines.batch.rows import PREDICTIONS, line_of, predicted
from pipelines.batch.source import Source, parse
from pipelines.data.sharding.beam import import_beam, run_jobs
from pipelines.errors import ConfigError
from pipelines.serving.artifact import open_verified
from pipelines.serving.predictor import Predictor, load
from zoo.published import columns_of
from zoo.storage.home import expanded

_RECORD = "zoo_predictions.json"
_UNFINISHED = ".unfinished-"


@dataclasses.dataclass(frozen=True)
class ShardJob:
    """One file to be written, and all that a worker needs to write it."""

    path: str
    artifact: str
    source: Source
    kind: str
    start: int
    stop: int


def predict_to_shards(
    artifact: Path,
    source: str,
    to: Path,
    *,
    kind: str = PREDICTIONS,
    shards: int,
    runner: str,
    options: Sequence[str] = (),
    on_progress: OnProgress,
) -> Written:
    """Predictions as `to/predictions-00000-of-00008.jsonl` and so on, or features.

    Each has its part of the examples, in order; joined, they are the single file of
    `predict_to_file`. Started again, it writes the files that are missing.
    `options` are for Beam's `runner`, whose workers must see the artifact, the
    data and `to` under the same paths.

    Raises:
        DataError, ConfigError, ArtifactError: as `predict_to_file`, and if Beam is not
            installed.
    """
    if shards < 1:
        raise ConfigError(f"--shards is {shards}; it must be 1 or more.")
    beam = import_beam(otherwise=", or leave --shards out")
    opened = open_verified(artifact)
    facts = opened.manifest.preprocessing
    columns = columns_of(facts.get("columns") or ())
    inputs = parse(source, modality=facts["modality"], columns=columns)
    whose = identity(opened.manifest, inputs.fingerprint(), kind=kind)
    to = expanded(to).absolute()
    names = _names(kind, min(shards, whose.examples))
    _claim(to, whose, names)
    bounds = [whose.examples * k // len(names) for k in range(len(names) + 1)]
    path = str(opened.path.absolute())
    jobs = [
        ShardJob(str(to / name), path, inputs, kind, start, stop)
        for name, start, stop in zip(names, bounds, bounds[1:])
        if not (to / name).exists()
    ]
    if jobs:
        run_jobs(beam, jobs, write_shard, runner=runner, options=options)
    invalid = sum(_invalid(to / name) for name in names)
    done = Progress(rows=whose.examples, invalid=invalid)
    output.write_record(to / _RECORD, whose, done)
    on_progress(done.rows, whose.examples)
    new = sum(job.stop - job.start for job in jobs)
    return Written(str(to), done.rows, done.invalid, new)


def write_shard(job: ShardJob) -> int:
    """Writes one file, which appears complete or not at all; gives its rows."""
    predictor, rows = _predictor(job.artifact), 0
    target = Path(job.path)
    # A runner may give the same job to two workers; each has a file of its own.
    descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=target.parent)
    try:
        with os.fdopen(descriptor, "w") as stream:
            os.fchmod(stream.fileno(), 0o644)  # mkstemp makes 0600
            items = job.source.items(job.start, job.stop)
            for row in predicted(predictor, items, kind=job.kind):
                stream.write(line_of(".jsonl", job.source.columns, row))
                rows += 1
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)
    return rows


@functools.lru_cache(maxsize=1)
def _predictor(artifact: str) -> Predictor:
    """Loaded once for all shards that a worker writes."""
    return load(artifact)


def _names(kind: str, count: int) -> list[str]:
    return [f"{kind}-{k:05}-of-{count:05}.jsonl" for k in range(count)]


def _claim(to: Path, whose: output.Identity, names: Sequence[str]) -> None:
    """Makes the folder ours, or checks that it is, with the same shards."""
    known = output.read_record(to / _RECORD, whose)
    present = {path.name for path in to.iterdir()} if to.is_dir() else set()
    if known is None and (present or to.exists() and not to.is_dir()):
        raise ConfigError(
            f"{to} is there already and has no {_RECORD}. Nothing was touched; name a"
            " new folder with --to."
        )
    old = {name for name in present if name.startswith(f"{whose.kind}-")}
    if not old <= set(names):
        raise ConfigError(
            f"{to} was begun with another number of shards: {min(old)} is there. Give"
            " the same --shards again, or name a new folder with --to."
        )
    try:
        to.mkdir(parents=True, exist_ok=True)
        for name in present:
            if name.startswith(_UNFINISHED):
                (to / name).unlink()
        output.write_record(to / _RECORD, whose, known or Progress())
    except OSError as error:
        raise ConfigError(f"{to} cannot be written: {error.strerror}.") from error


def _invalid(path: Path) -> int:
    with path.open() as stream:
        return sum(not json.loads(line)["valid"] for line in stream)
