"""`zoo meta` of a backbone: its last blocks, trained in episodes and judged."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.methods.episodic.tail import Tail
from pipelines.methods.episodic.training import EpisodicLearner, EpisodicSetting
from pipelines.methods.few_shot.episodes import accuracies, interval
from pipelines.methods.few_shot.examples import labelled
from pipelines.methods.few_shot.features import FeatureSource, Source
from pipelines.methods.few_shot.heads import centroid
from pipelines.methods.few_shot.vectors import normalization
from pipelines.methods.meta.rounds import train_rounds
from pipelines.methods.meta.tasks import seen_classes
from pipelines.runtime.clock import Clock
from pipelines.runtime.files import write_files
from pipelines.stages.publish import CHECKPOINTS, META, save_backbone

PROGRESS = "progress.npz"


@dataclasses.dataclass(frozen=True)
class EpisodicTrained:
    """A backbone on disk, and how heads do on it with a few examples of new classes.

    `before` and `after` are accuracies of the nearest class mean over `episodes` of
    classes that training never saw; `gain` is paired, with half of its 95 % interval.
    `classes` are the numbers of classes of training, and of the comparison.
    """

    path: str
    backbone: str
    trained_blocks: tuple[str, ...]
    classes: tuple[int, int]
    setting: EpisodicSetting
    losses: tuple[float, ...]
    episodes: int
    before: float
    after: float
    gain: float
    interval: float
    seconds: dict[str, float]


def train_in_episodes(
    data: Any, setting: EpisodicSetting, *, source: Source, folder: Path
) -> EpisodicTrained:
    """Trains the last blocks on half of the classes, and judges on the other half.

    In `folder` are then `meta.json`, which `zoo publish` reads, the weights, and
    `progress.npz`; with a `progress.npz` there the same call goes on from it.

    Raises:
        ConfigError, DataError, BackboneError, TrainingError: with a sentence that says
            what to do.
    """
    setting.check()
    clock, episode = Clock(), setting.episode
    with labelled(data) as examples:
        labels, where = examples.labels, examples.reference
        seen = seen_classes(labels, episode, where=where)
        with clock.stage("activations", source.backbone or "the default backbone"):
            network = FeatureSource(source, examples.inputs)
            base = network.base
            settings = {
                "setting": dataclasses.asdict(setting),
                "fingerprint": network.fingerprint,
                "data": where,
                "examples": len(labels),
            }
            tail = Tail(base, examples.inputs, blocks=setting.blocks)
    before = tail.embeddings()
    with clock.stage("meta-training", f"{setting.rounds} episodes"):
        losses = train_rounds(
            EpisodicLearner(tail, labels, seen, setting),
            rounds=setting.rounds,
            method=setting.method,
            progress_file=folder / PROGRESS,
            settings=settings,
            on_progress=lambda done: clock.progress(done, setting.rounds),
        )
    with clock.stage("comparison", f"{episode.episodes} episodes of the other classes"):
        both = np.stack(
            [
                _accuracies(rows, labels, seen, setting)
                for rows in (before, tail.embeddings())
            ]
        )
    gains = both[1] - both[0]
    trained = EpisodicTrained(
        path=str(folder),
        backbone=base.spec.name,
        trained_blocks=tail.trained,
        classes=(
            len(episode.classes_of(labels[seen])),
            len(episode.classes_of(labels[~seen])),
        ),
        setting=setting,
        losses=losses,
        episodes=episode.episodes,
        before=float(both[0].mean()),
        after=float(both[1].mean()),
        gain=float(gains.mean()),
        interval=interval(gains),
        seconds={**clock.seconds, "total": clock.total_seconds},
    )
    kept = save_backbone(base, folder / CHECKPOINTS, handle="")
    _write(folder, kept, trained, where=where, examples=int((~seen).sum()))
    return trained


def _accuracies(
    rows: np.ndarray, labels: np.ndarray, seen: np.ndarray, setting: EpisodicSetting
) -> np.ndarray:
    """The accuracy of the nearest class mean on each episode of unseen classes."""
    unit = normalization(rows[seen], scaled=False)
    return accuracies(unit(rows[~seen]), labels[~seen], setting.episode, [centroid])[0]


def _write(
    folder: Path,
    kept: dict[str, Any],
    trained: EpisodicTrained,
    *,
    where: str,
    examples: int,
) -> None:
    """Writes what `zoo publish` reads of a run."""
    values = dataclasses.asdict(trained)
    measured = {"few_shot_accuracy": trained.after, "examples": examples}
    record = {
        "backbone": kept,
        "data": where,
        "plan": values.pop("setting"),
        "headline": ["few_shot_accuracy"],
        "test": measured,
        "episodic": values,
    }
    write_files(folder, {META: json.dumps(record, indent=2)})
