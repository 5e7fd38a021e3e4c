"""Adapts the head of a finished run to a target, without the source's images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from pipelines.classes.finished import FinishedRun
from pipelines.classes.publish import AdaptationChange, ClassChange, publish_changed
from pipelines.classes.read import FeatureReader, kept_or_read
from pipelines.classes.refit import refit
from pipelines.classes.update import opened
from pipelines.data.domains.target import Source, read_target
from pipelines.data.splits import first
from pipelines.errors import ConfigError
from pipelines.features.kept_features import KeptFeatures
from pipelines.methods.adaptation.apply import measured
from pipelines.methods.adaptation.domains import Domains, Settings
from pipelines.methods.adaptation.head import Adapted, unchanged
from pipelines.methods.adaptation.label_shift import label_shift
from pipelines.methods.adaptation.moments import standardise
from pipelines.methods.adaptation.shot import shot_linear
from pipelines.planning.adaptation.evidence import Adaptation, advice, in_words
from pipelines.planning.adaptation.methods import AUTO, NONE, SOURCE_FREE
from pipelines.probing.probe import Probe

# As many as an export is proved with.
_PROOF_EXAMPLES = 64
_FUNCTIONS: Mapping[str, Callable[[Domains, Settings], Adapted]] = {
    "standardise": standardise,
    "label_shift": label_shift,
    "shot": shot_linear,
}


@dataclasses.dataclass(frozen=True, eq=False)
class RunAdaptation:
    """The measurements of a target, and the version that was published, if any.

    `words` say how far the target is, and what could help.
    """

    record: Adaptation
    words: str
    change: ClassChange | None = None


def adapt_run(workdir: Path, *, target: str, method: str = AUTO) -> RunAdaptation:
    """Measures a target, and publishes a next version whose head is adapted to it.

    With `auto` nothing is published: no label could show a gain. Reads the features
    that the run kept and the target, and no image of the source.

    Raises:
        ConfigError: if the run is not finished, its head is not linear, or the method
            needs the source's images.
        DataError: if the target cannot be adapted to.
        ArtifactError: if the export failed; the run is as it was then.
    """
    if method not in (AUTO, *SOURCE_FREE):
        raise ConfigError(
            f"The method is '{method}', which trains on the source. A finished run is"
            f" adapted by {', '.join(SOURCE_FREE)}; for '{method}' train again with"
            f" config.adapt.target={target}."
        )
    with opened(workdir) as (run, trained, clock):
        reader = FeatureReader(run, trained)
        with clock.stage("measure", "kept features"):
            kept = kept_or_read(run, reader)
        with clock.stage("target", target):
            split = read_target(target, _source(run, kept))
            read = reader.read_together({"test": split}, views=1)["test"].features
        balanced, seed = run.plan.balances_classes, run.plan.seed
        both = _domains(refit(kept, balanced=balanced, seed=seed), kept, read)
        before = measured(both, unchanged(both.probe))
        words = f"{in_words(before)}. {advice(before)}"
        record = Adaptation(method, NONE, target, len(split), words, before)
        if method == AUTO:
            return RunAdaptation(record, words)

        adapted = _FUNCTIONS[method](
            both, Settings(seed=seed, steps=run.config.adapt.steps)
        )
        record = dataclasses.replace(
            record, method=method, after=measured(both, adapted)
        )
        published = publish_changed(
            run,
            trained,
            kept,
            first(split, _PROOF_EXAMPLES),
            clock,
            change={"action": "adapt", "target": target, "method": method},
            adaptation=AdaptationChange(adapted, record),
        )
        return RunAdaptation(record, words, published)


def _source(run: FinishedRun, kept: KeptFeatures) -> Source:
    contents = {
        name: {content.decode() for content in split.contents.tolist()}
        for name, split in kept.splits.items()
    }
    return Source(
        run.modality,
        kept.class_names,
        set().union(*contents.values()),
        contents["validation"] | contents["test"],
        run.shape,
    )


def _domains(probe: Probe, kept: KeptFeatures, target: np.ndarray) -> Domains:
    train, validation = kept.train, kept.validation
    rows = np.tile(np.arange(len(train.rows)), train.views)
    return Domains(
        probe,
        train.features.astype(np.float32),
        train.labels[train.rows][rows],
        train.groups[train.rows][rows],
        validation.features.astype(np.float32),
        validation.labels,
        target.astype(np.float32),
    )
