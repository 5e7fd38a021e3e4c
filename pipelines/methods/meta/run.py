"""`zoo meta --method optimizer`: an optimizer trained on tasks, and how it does."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from pipelines.methods.few_shot.evaluation import Examples
from pipelines.methods.few_shot.examples import labelled
from pipelines.methods.few_shot.features import FeatureSource, Source
from pipelines.methods.meta import saved
from pipelines.methods.meta.comparison import Compared, compared
from pipelines.methods.meta.meta_training import MetaSetting, meta_train
from pipelines.methods.meta.tasks import halves, seen_classes
from pipelines.runtime.clock import Clock

FILE, PROGRESS = "optimizer.npz", "progress.npz"


@dataclasses.dataclass(frozen=True)
class MetaTrained:
    """A learned optimizer on disk, and its losses beside those of tuned ones.

    `losses` are the mean ones of each round; `classes` are the numbers of classes
    of meta-training, and of the comparison.
    """

    path: str
    backbone: str
    width: int
    classes: tuple[int, int]
    setting: MetaSetting
    losses: tuple[float, ...]
    comparison: tuple[Compared, ...]
    seconds: dict[str, float]


def meta_train_optimizer(
    data: Any, setting: MetaSetting, *, source: Source, folder: Path
) -> MetaTrained:
    """Trains the optimizer on half of the classes, and judges it on the other half.

    In `folder` are then `optimizer.npz` and `progress.npz`; with a `progress.npz` there
    the same call goes on from it.

    Raises:
        ConfigError, DataError, BackboneError, TrainingError: with a sentence that says
            what to do.
    """
    setting.check()
    clock = Clock()
    episode = setting.tasks.episode
    with labelled(data) as examples:
        # Before minutes of features: are there enough classes?
        seen_classes(examples.labels, episode, where=examples.reference)
        with clock.stage("features", source.backbone or "the default backbone"):
            network = FeatureSource(source, examples.inputs)
            read = Examples(network.read(examples.inputs), examples.labels)
        settings = {
            "setting": dataclasses.asdict(setting),
            "reads": list(network.blocks),
            "fingerprint": network.fingerprint,
            "data": examples.reference,
            "examples": len(examples.labels),
        }
        seen, held_out = halves(read, episode, where=examples.reference)
    with clock.stage("meta-training", f"{setting.rounds} rounds"):
        rule, losses = meta_train(
            seen,
            setting,
            progress_file=folder / PROGRESS,
            settings=settings,
            on_progress=lambda done: clock.progress(done, setting.rounds),
        )
        saved.save_rule(folder / FILE, rule)
    with clock.stage("comparison", "with tuned optimizers, on the other classes"):
        comparison = compared(rule, seen, held_out, setting.tasks)
    return MetaTrained(
        path=str(folder / FILE),
        backbone=network.base.spec.name,
        width=read.features.shape[1],
        classes=(
            len(episode.classes_of(seen.labels)),
            len(episode.classes_of(held_out.labels)),
        ),
        setting=setting,
        losses=losses,
        comparison=comparison,
        seconds={**clock.seconds, "total": clock.total_seconds},
    )
