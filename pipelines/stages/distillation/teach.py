"""What a student learns: its labels, and the calibrated answers of a teacher."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from pipelines.config import RunConfig
from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.input.batches import batches
from pipelines.data.names import listing
from pipelines.data.packed_strings import Strings
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Inputs, Lessons, Split, Splits
from pipelines.display.text import PLURALS
from pipelines.errors import ConfigError, DataError
from pipelines.problems.protocol import Problem
from pipelines.runtime.clock import Ticker
from pipelines.serving.predictor import Predictor
from pipelines.stages.distillation.finished import TeacherRun, finished_teacher
from pipelines.stages.distillation.pool import read_pool, with_pool
from pipelines.stages.distillation.record import Distillation
from zoo.builder import Backbone

_BATCH_SIZE = 32
_SHOWN = 10
# Options of a reference that say which examples are held out.
_SPLITTING = ("seed", "validation", "test", "limit", "group")
# A probability of a teacher in float32 is at least this, so that it has a logarithm.
_TINY = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class Taught:
    """Splits whose training has lessons, and the record of them."""

    splits: Splits
    record: Distillation


def require_teacher(
    config: RunConfig, splits: Splits, problem: Problem, base: Backbone
) -> TeacherRun:
    """The teacher of a config, checked against the data and the student.

    Raises:
        ConfigError: if there is no finished run, it has the student's backbone, or the
            problem has no classes to be taught.
        DataError: if it answers other classes, or knows examples that are held out.
    """
    if not problem.learns_from_teacher:
        raise ConfigError(
            f"config.problem is {problem.name!r}, and a teacher gives each example"
            " probabilities of classes that exclude each other ('single_label'). Leave"
            " config.distil.teacher out."
        )
    teacher = finished_teacher(Path(config.distil.teacher))
    manifest = teacher.artifact.manifest
    _require_same_data(teacher, splits)
    if manifest.preprocessing["modality"] != splits.train.inputs.modality:
        raise DataError(
            f"{teacher.path} answers for"
            f" {PLURALS[manifest.preprocessing['modality']]}, but the data hold"
            f" {PLURALS[splits.train.inputs.modality]}. Name a teacher of the same"
            " kind."
        )
    if (teacher.backbone, teacher.input_size_px) == (
        base.spec.name,
        base.input_size_px,
    ):
        raise ConfigError(
            f"The teacher {teacher.path} has the backbone '{base.spec.name}' at the"
            " same size, so that the student would be no smaller. Choose another"
            " config.backbone, or a smaller config.input_size_px."
        )
    return teacher


def _require_same_data(teacher: TeacherRun, splits: Splits) -> None:
    """Raises unless the teacher was trained on these splits, and nothing held out."""
    manifest, info = teacher.artifact.manifest, splits.info
    kinds = {manifest.problem, info.problem}
    if len(kinds) > 1:
        raise ConfigError(
            f"{teacher.path} answers a problem of the kind {manifest.problem!r}, but"
            f" the data are {info.problem!r}. Name a teacher of the same kind."
        )
    if tuple(manifest.class_names) != tuple(info.class_names):
        raise DataError(
            f"{teacher.path} answers the classes"
            f" {listing(map(repr, manifest.class_names), shown=_SHOWN)}, but the data"
            f" have {listing(map(repr, info.class_names), shown=_SHOWN)}. Train the"
            " teacher on these data."
        )
    theirs = DatasetRef.parse(manifest.data["reference"])
    ours = DatasetRef.parse(info.reference)
    same_splits = all(getattr(theirs, f) == getattr(ours, f) for f in _SPLITTING)
    if manifest.fingerprints[-1] != info.fingerprint or not same_splits:
        raise DataError(
            f"{teacher.path} was trained on {manifest.data['reference']}, which is not"
            f" {info.reference} with the same splits: it may have learned examples that"
            " are held out here. Train the teacher on these data, or distil on its own."
        )


def teach(teacher: TeacherRun, splits: Splits, config: RunConfig) -> Taught:
    """The splits with the answers of the teacher, and with the pool if there is one.

    Every example is answered once, as it is. Validation and test stay as they are.

    Raises:
        DataError: if the pool cannot be learned from.
    """
    distil, train = config.distil, splits.train
    predictor = Predictor(teacher.artifact)
    classes = len(splits.info.class_names)
    answers = _answers(predictor, train)
    rows = np.concatenate(
        [
            np.eye(classes, dtype=np.float32)[train.labels],
            _softened(answers, distil.temperature),
        ],
        axis=1,
    )
    lessons = Lessons(rows, distil.temperature, distil.weight)
    split, pooled = dataclasses.replace(train, lessons=lessons), 0
    if distil.unlabelled:
        pool = read_pool(distil.unlabelled, splits)
        pooled = len(pool)
        split = _extended(split, lessons, pool, predictor)
    right = answers.argmax(axis=1) == train.labels
    record = Distillation(
        teacher=str(teacher.path),
        backbone=teacher.backbone,
        temperature=distil.temperature,
        weight=distil.weight,
        examples=len(train),
        unlabelled=pooled,
        training_accuracy=float(right.mean()),
        mean_confidence=float(answers.max(axis=1).mean(dtype=np.float64)),
    )
    return Taught(dataclasses.replace(splits, train=split), record)


def _softened(answers: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities at a temperature, float32 `[n, classes]`."""
    logs = np.log(np.maximum(answers.astype(np.float64), _TINY))
    scaled = logs / temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return (scaled / scaled.sum(axis=1, keepdims=True)).astype(np.float32)


def _extended(
    train: Split, lessons: Lessons, pool: Inputs, predictor: Predictor
) -> Split:
    """The split of training, followed by examples that have no label but lessons."""
    inputs = with_pool(train.inputs, pool)
    alone = Split("unlabelled", pool, np.zeros(len(pool), np.int64))
    answers = _answers(predictor, alone)
    soft = _softened(answers, lessons.temperature)
    rows = np.concatenate([np.zeros_like(soft), soft], axis=1)
    weights = train.weights
    if weights is not None:
        mean = np.full(len(pool), weights.mean(), weights.dtype)
        weights = np.concatenate([weights, mean])
    return Split(
        train.name,
        inputs,
        np.concatenate([train.labels, answers.argmax(axis=1)]),
        names=_names(train, len(pool)),
        weights=weights,
        lessons=dataclasses.replace(lessons, rows=np.concatenate([lessons.rows, rows])),
    )


def _names(train: Split, more: int) -> Strings | None:
    if train.names is None:
        return None
    return Strings.of([*train.names, *(f"unlabelled {i}" for i in range(more))])


def _answers(predictor: Predictor, split: Split) -> np.ndarray:
    """The teacher's calibrated probabilities, float32 `[n, classes]`."""
    size = predictor.artifact.manifest.preprocessing.get("input_size_px")
    read = batches(split, input_size_px=size, batch_size=_BATCH_SIZE)
    rows, done, tick = [], 0, Ticker("teacher", len(split))
    with broken_files_named(split):
        for inputs, _ in read:
            rows.append(predictor.outputs(inputs.numpy())["probabilities"])
            done += len(rows[-1])
            tick(done)
    return np.concatenate(rows)
