"""Adds, removes and merges classes of a finished run, without training anew."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.classes.change import added, merged, removed
from pipelines.classes.finished import FinishedRun, open_finished
from pipelines.classes.new_class import require_taken, splits_of_class
from pipelines.classes.publish import ClassChange, publish_changed
from pipelines.classes.read import FeatureReader, kept_or_read
from pipelines.data.load import load_part
from pipelines.data.reference import DatasetRef
from pipelines.data.spelling import normal, require_names
from pipelines.data.splits import Split, first
from pipelines.errors import ConfigError, DataError
from pipelines.features.kept_features import KeptFeatures
from pipelines.runs import lock
from pipelines.runtime.clock import Clock
from pipelines.runtime.determinism import determinism
from pipelines.runtime.precision import precision
from pipelines.stages.base import freeze_base
from pipelines.stages.publish import trained_backbone
from zoo.builder import Backbone

# As many as an export is proved with.
_PROOF_EXAMPLES = 64


def add_class(workdir: Path, *, name: str, data: str) -> ClassChange:
    """Adds a class to a finished run, and publishes the next version.

    The head is the one in closed form on the features of all examples, old and new;
    the blocks stay as they are. No old image is read where the run kept its features.

    Raises:
        ConfigError: if the run is not finished, its head is not linear, or it has the
            class already.
        DataError: if the new images cannot be used, or some are in another class.
        ArtifactError: if the export failed; the run is as it was then.
    """
    name = normal(name)
    with changeable(workdir) as (run, trained, clock):
        if name in run.report["class_names"]:
            raise ConfigError(
                f"{workdir} has a class '{name}' already. Choose another name, or train"
                " again with the new images in its folder."
            )
        with clock.stage("data", data):
            splits = splits_of_class(
                data,
                name,
                run_data=DatasetRef.parse(run.config.data),
                modality=run.modality,
                shape=run.shape,
            )
        reader = FeatureReader(run, trained)
        with clock.stage("measure", "features of the new class"):
            old = kept_or_read(run, reader)
            new = reader.read_together(splits, views=old.train.views)
            kept = added(old, name, new)
        proof = splits["test"] if len(splits["test"]) else splits["train"]
        change = {"action": "add", "name": name, "data": data}
        return publish_changed(run, trained, kept, proof, clock, change=change)


def remove_class(workdir: Path, *, name: str, data: str | None = None) -> ClassChange:
    """Removes a class of a finished run, and publishes the next version.

    `data` are some examples to prove the export with, by default those of the run.

    Raises:
        ConfigError: if the run is not finished, its head is not linear, or it has no
            such class.
        DataError: if there are no examples to prove the export with.
        ArtifactError: if the export failed; the run is as it was then.
    """
    name = normal(name)
    change = {"action": "remove", "name": name}
    return _without_new_data(
        workdir, lambda kept: removed(kept, name), data=data, change=change
    )


def merge_classes(
    workdir: Path, *, names: Sequence[str], name: str = "", data: str | None = None
) -> ClassChange:
    """Makes one of several classes of a finished run, and publishes the next version.

    It is called `name`, by default as the first one of `names`. `data` are some
    examples to prove the export with, by default those of the run.

    Raises:
        ConfigError: if the run is not finished, its head is not linear, or a class is
            unknown.
        DataError: if there are no examples to prove the export with.
        ArtifactError: if the export failed; the run is as it was then.
    """
    names = [normal(each) for each in names]
    into = normal(name) or names[0]
    require_names([into])
    change = {"action": "merge", "names": list(names), "name": into}
    return _without_new_data(
        workdir, lambda kept: merged(kept, names, into=into), data=data, change=change
    )


def _without_new_data(
    workdir: Path,
    apply: Callable[[KeptFeatures], KeptFeatures],
    *,
    data: str | None,
    change: Mapping[str, Any],
) -> ClassChange:
    with changeable(workdir) as (run, trained, clock):
        with clock.stage("measure", "kept features"):
            kept = apply(kept_or_read(run, FeatureReader(run, trained)))
        with clock.stage("data", "examples to prove the export with"):
            proof = _proof_examples(run, data)
        return publish_changed(run, trained, kept, proof, clock, change=change)


def _proof_examples(run: FinishedRun, data: str | None) -> Split:
    reference = data or run.config.data
    try:
        split, _ = load_part(DatasetRef.parse(reference), "all", trained_on=())
    except DataError as error:
        raise DataError(
            f"The export is proved on a few real examples, and {reference} cannot be"
            f" read: {error} Name others with --data; their labels do not count."
        ) from error
    require_taken(
        split.inputs,
        reference,
        modality=run.modality,
        shape=run.shape,
    )
    rows = np.linspace(0, len(split) - 1, min(_PROOF_EXAMPLES, len(split)))
    return first(split.take(rows.astype(np.int64)), _PROOF_EXAMPLES)


@contextlib.contextmanager
def changeable(
    workdir: Path,
) -> Iterator[tuple[FinishedRun, Callable[[], Backbone], Clock]]:
    """As `opened`, for a run whose head can be fitted anew.

    Raises:
        ConfigError: if it was adapted to a target, or learned from examples without
            labels, which a new fit would undo.
    """
    with opened(workdir) as (run, trained, clock):
        adapted = run.report.get("adaptation") or {"method": "none"}
        if adapted["method"] != "none":
            raise ConfigError(
                f"The head of {workdir} is adapted to {adapted['target']} by"
                f" {adapted['method']}, and a changed class is fitted to the source"
                " alone. Change the classes in a copy of the run from before, and adapt"
                " that again."
            )
        helped = run.report.get("unlabelled") or {"method": "none"}
        if helped["method"] != "none":
            raise ConfigError(
                f"The head of {workdir} learned from the examples without labels of"
                f" {helped['reference']}, and a changed class is fitted to labelled"
                " ones alone. Train with the changed classes and config.unlabelled."
            )
        yield run, trained, clock


@contextlib.contextmanager
def opened(
    workdir: Path,
) -> Iterator[tuple[FinishedRun, Callable[[], Backbone], Clock]]:
    """The finished run, a function that gives its trained backbone, and a clock.

    Nobody else changes the run meanwhile. The backbone is built when it is asked for,
    once: what the run kept and its artifact mostly do for all but the export.
    """
    clock = Clock()
    open_finished(workdir)  # before a lock is put into any folder
    instead = "Name a copy of the run that you may write to."
    with lock.alone_in(workdir, subject="The run", instead=instead):
        run = open_finished(workdir)  # another change may have come in between

        @functools.cache
        def trained() -> Backbone:
            with clock.stage("obtain", f"the backbone that {run.path} trained"):
                return freeze_base(trained_backbone(run.path, run.report["backbone"]))

        with determinism(run.config.deterministic), precision(run.plan.precision):
            yield run, trained, clock
