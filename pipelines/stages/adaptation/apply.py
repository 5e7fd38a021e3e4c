"""In place of the phases: the adapted head in the model, with a receipt."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from pipelines.data.splits import Splits
from pipelines.methods.adaptation.apply import measured
from pipelines.methods.adaptation.domains import Domains
from pipelines.methods.adaptation.head import AdaptedHead
from pipelines.planning.adaptation.evidence import Adaptation
from pipelines.planning.adaptation.methods import METHODS
from pipelines.problems.protocol import Outputs
from pipelines.stages.adaptation.decide import PHASE, AdaptedPlan
from pipelines.stages.adaptation.read import TargetRead
from pipelines.stages.finetune import FitHistory
from pipelines.stages.folds.result import Trained
from pipelines.stages.outputs import outputs
from pipelines.training.batchnorm import reestimate
from pipelines.training.phases.result import PhaseResult
from pipelines.training.receipt import WeightChange, refuse_moved, snapshot
from pipelines.training.receipt import measure as measure_changes
from pipelines.training.transfer_model import TransferModel
from zoo.spec import HEAD


def apply_adaptation(
    model: TransferModel, splits: Splits, read: TargetRead, decided: AdaptedPlan
) -> Trained:
    """Sets the head of the model to the adapted one, or BatchNorm to the target.

    The result has the answers for source validation as a source example has them, for
    calibration, and how source features are moved to the target.

    Raises:
        TrainingError: if anything frozen moved.
    """
    adapted = decided.adapted
    if adapted is None:
        raise ValueError("Nothing was adapted, and the head trains as planned.")
    started = time.monotonic()
    layers = model.layers_by_block
    before, record = snapshot(layers), decided.record
    set_head(model, adapted.head)
    passes = record.method in METHODS and METHODS[record.method].passes
    if passes:
        reestimate(
            model.backbone.model,
            model.backbone.blocks,
            read.split,
            input_size_px=model.backbone.input_size_px,
            seed=decided.plan.seed,
        )
        record = _measured_again(model, splits, read, decided)
    changes = measure_changes(before, layers, trainable=(HEAD,))
    if not passes:
        refuse_moved(PHASE, changes, statistics_frozen=True)
    result = _result(record, changes, adapted.head, time.monotonic() - started)
    history = FitHistory((result,) if decided.plan.phases else (), ())
    if passes:
        return Trained(model, history, splits, adaptation=record)
    validation = splits.validation
    return Trained(
        model,
        history,
        splits,
        out_of_fold=Outputs(
            validation.name,
            validation.labels,
            adapted.for_source.logits([read.domains.validation]),
            adapted.moved(read.domains.validation),
            modality=validation.inputs.modality,
        ),
        adaptation=record,
        moved=adapted.moved,
    )


def set_head(model: TransferModel, head: AdaptedHead) -> None:
    """Gives the layers of the head the numbers of an adapted one."""
    standardization = head.standardization
    numbers = {
        "standardize": [standardization.mean, standardization.scale],
        "logits": [head.kernel, head.bias],
    }
    if head.hidden is not None:
        numbers["hidden_0"] = list(head.hidden)
    for layer in model.head_layers:
        if layer.name in numbers:
            layer.set_weights(numbers[layer.name])


def _measured_again(
    model: TransferModel, splits: Splits, read: TargetRead, decided: AdaptedPlan
) -> Adaptation:
    """The record with measurements by the changed network, in another pass."""
    adapted = decided.adapted
    if adapted is None:
        raise ValueError("BatchNorm was set for a head that is the source's.")
    validation, target = outputs(
        model,
        [splits.validation, read.split],
        batch_size=decided.plan.batch_size,
    )
    domains = Domains(
        read.domains.probe,
        validation.features,
        validation.labels,
        np.arange(len(validation.labels)),
        validation.features,
        validation.labels,
        target.features,
    )
    return dataclasses.replace(decided.record, after=measured(domains, adapted))


def _result(
    record: Adaptation,
    receipt: tuple[WeightChange, ...],
    head: AdaptedHead,
    seconds: float,
) -> PhaseResult:
    after = record.after or record.before
    sizes = [*(head.hidden or ()), head.kernel, head.bias]
    return PhaseResult(
        name=PHASE,
        kept=True,
        blend=1.0,
        gain=0.0,
        gain_standard_error=0.0,
        learning_rate=0.0,
        best_epoch=0,
        accuracy_before=record.before.validation_accuracy,
        accuracy_after=after.validation_accuracy or 0.0,
        images_per_second=0.0,
        seconds=seconds,
        epochs=(),
        receipt=receipt,
        trained_parameters=sum(array.size for array in sizes),
    )
