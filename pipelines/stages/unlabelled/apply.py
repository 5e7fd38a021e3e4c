"""In place of the phases: the head that learned from unlabelled examples too."""

from __future__ import annotations

import time

from pipelines.data.splits import Splits
from pipelines.methods.adaptation.head import unchanged
from pipelines.stages.adaptation.apply import set_head
from pipelines.stages.finetune import FitHistory
from pipelines.stages.folds.result import Trained
from pipelines.stages.unlabelled.decide import PHASE, HelpedPlan
from pipelines.training.phases.result import PhaseResult
from pipelines.training.receipt import measure as measure_changes
from pipelines.training.receipt import refuse_moved, snapshot
from pipelines.training.transfer_model import TransferModel
from zoo.spec import HEAD


def apply_unlabelled(
    model: TransferModel, splits: Splits, decided: HelpedPlan
) -> Trained:
    """Sets the head of the model to the one that learned from unlabelled examples.

    Raises:
        TrainingError: if anything frozen moved.
    """
    if decided.head is None:
        raise ValueError("Unlabelled examples are not used, and the head trains.")
    started, judged = time.monotonic(), decided.record.judged
    layers = model.layers_by_block
    before = snapshot(layers)
    set_head(model, unchanged(decided.head).head)
    changes = measure_changes(before, layers, trainable=(HEAD,))
    refuse_moved(PHASE, changes, statistics_frozen=True)
    result = PhaseResult(
        name=PHASE,
        kept=True,
        blend=1.0,
        gain=judged.gain,
        gain_standard_error=judged.standard_error,
        learning_rate=0.0,
        best_epoch=0,
        accuracy_before=judged.before,
        accuracy_after=judged.after,
        images_per_second=0.0,
        seconds=time.monotonic() - started,
        epochs=(),
        receipt=changes,
        trained_parameters=decided.head.kernel.size + decided.head.bias.size,
    )
    history = FitHistory((result,) if decided.plan.phases else (), ())
    return Trained(model, history, splits)
