"""The export of a few-shot classifier: an artifact like the one of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from pipelines.calibration.calibration import uncalibrated
from pipelines.data.splits import ImageFiles, ImageRecords, Inputs, Split
from pipelines.data.splitting import fingerprint_of
from pipelines.errors import DataError
from pipelines.features.pooling import Standardize
from pipelines.methods.few_shot.choice import Chosen
from pipelines.methods.few_shot.features import FeatureSource
from pipelines.methods.few_shot.saved import State
from pipelines.methods.few_shot.vectors import Normalization
from pipelines.planning.plan import HeadPlan, TransferPlan, to_dict
from pipelines.problems.registry import make
from pipelines.serving.artifact import Artifact
from pipelines.stages.export import export
from pipelines.training.transfer_model import TransferModel

_BATCH_SIZE = 32


def publish(
    state: State, source: FeatureSource | None, examples: Inputs | None, to: Path
) -> Artifact:
    """A new version under `to`, which answers as the classifier does, or not at all.

    Raises:
        DataError: if there are no examples to prove it with.
        ArtifactError: if the export failed.
    """
    if source is None or examples is None or not _are_there(examples):
        raise DataError(
            "The export is proved on a few real examples, and the learned ones are not"
            " at hand: their files are gone, or the classifier was loaded. Pass some in"
            " `examples`; their labels do not count."
        )
    if state.chosen is None or state.normalize is None:
        raise ValueError("A state without a head cannot be published.")
    names, kept, chosen = state.kept.names, state.kept, state.chosen
    calibration = uncalibrated(
        len(names),
        reason=(
            "A few-shot classifier holds no example out: the sharpness of its"
            " probabilities is the one that fits examples left out, and every answer is"
            " accepted."
        ),
    )
    labels = np.zeros(len(examples), np.int64)
    return export(
        transfer_model(source, state.normalize, chosen),
        calibration,
        Split("train", examples, labels),
        to,
        problem=make("single_label", names, kept.rows()[1]),
        facts=_facts(state, source, chosen),
    )


def _are_there(examples: Inputs) -> bool:
    """True if no file is gone; bytes of a call were files only as long as it took."""
    if isinstance(examples, ImageFiles):
        return all(Path(path).is_file() for path in examples.paths)
    if isinstance(examples, ImageRecords):
        return all(Path(shard).is_file() for shard in examples.shards)
    return True


def transfer_model(
    source: FeatureSource, normalize: Normalization, chosen: Chosen
) -> TransferModel:
    """The backbone with the head on it, from raw input to logits."""
    pooled_blocks = source.outputs
    parts = list(pooled_blocks.values())
    join = layers.Concatenate if len(parts) > 1 else layers.Identity
    pooled = join(name="pooled")(parts if len(parts) > 1 else parts[0])
    standardize = Standardize(name="standardize")
    unit = layers.UnitNormalization(name="unit_length", dtype="float32")
    classes = chosen.linear.kernel.shape[1]
    logits = layers.Dense(classes, dtype="float32", name="logits")
    model = keras.Model(
        source.base.model.input,
        logits(unit(standardize(pooled))),
        name=f"{source.base.spec.name}_classifier",
    )
    standardize.set_weights([normalize.mean, normalize.scale])
    logits.set_weights([chosen.linear.kernel, chosen.linear.bias])
    return TransferModel(
        model,
        source.base,
        pooled,
        pooled,
        pooled_blocks,
        (standardize, unit, logits),
        _plan(source, chosen).head,
    )


def _plan(source: FeatureSource, chosen: Chosen) -> TransferPlan:
    head = HeadPlan(
        reads=source.blocks,
        grid=1,
        standardized=True,
        pooling="average",
        recurrent_units=0,
        hidden_units=(),
        dropout=0.0,
        init="probe",
    )
    return TransferPlan(
        action="few_shot",
        reason=chosen.reason,
        batch_size=_BATCH_SIZE,
        head=head,
        phases=(),
    )


def _facts(state: State, source: FeatureSource, chosen: Chosen) -> Mapping[str, Any]:
    """The values of `data`, `plan` and `metrics` in the manifest."""
    kept = state.kept
    _, labels = kept.rows()
    contents = [
        content.decode() for rows in kept.classes.values() for content in rows.contents
    ]
    of_examples = [kept.names[label] for label in labels]
    counts = {name: len(rows.contents) for name, rows in kept.classes.items()}
    left_out = chosen.left_out.get(chosen.name)
    metrics = (
        {}
        if left_out is None
        else {"left_out": {"accuracy": left_out, "examples": len(labels)}}
    )
    return {
        "data": {
            "reference": state.reference,
            "fingerprint": fingerprint_of(contents, of_examples, None),
            "counts": {"train": counts},
            "skipped": {},
        },
        "plan": to_dict(_plan(source, chosen)),
        "metrics": metrics,
    }
