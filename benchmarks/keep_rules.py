"""Rules for keeping what a phase trained, over the development sets.

For each draw of a data set (`benchmarks.transfer`) the probe is solved, and then blocks
train once for each kind: the last `half`, `all`, and `cut` (the network is cut after
the best depth, and a new residual block trains under the head). The logits of the
blends of weights, from the probe (0) to what was trained (1), are kept for validation
and test. So every rule is computed from one training, and new rules need none.

The rules and their tables are in `benchmarks.keep_tables`.

Command: python -m benchmarks.keep_rules REF ... --shots 5 20 --seeds=2
         python -m benchmarks.keep_rules --table
Cost:    about a minute of processor time for each draw at 20 images per class.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from benchmarks.keep_tables import (
    BLENDS,
    KINDS,
    Answers,
    print_strategies,
    print_table,
)
from benchmarks.transfer import Drawn, draw, pool, write_drawn
from pipelines.config import RunConfig, checked
from pipelines.data.input.batches import batches
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Split
from pipelines.features.extract import Reader
from pipelines.planning.plan import TransferPlan
from pipelines.runs.prepare import Prepared, prepare
from pipelines.runtime.clock import Clock
from pipelines.stages.finetune import fine_tune
from pipelines.stages.head import add_head
from pipelines.stages.plan import choose_plan
from pipelines.training import freezing
from pipelines.training.phases.workspace import Workspace
from pipelines.training.transfer_model import TransferModel
from zoo.graph.folding import folded


def main() -> None:
    arguments = _arguments()
    arguments.results.mkdir(parents=True, exist_ok=True)
    for reference in arguments.data:
        drawn_from = pool(reference, arguments.size, arguments.test)
        for shots in arguments.shots:
            for seed in range(arguments.seeds):
                missing = [
                    kind
                    for kind in arguments.kinds
                    if not _path(arguments, reference, shots, seed, kind).exists()
                ]
                drawn = draw(drawn_from, shots, seed) if missing else None
                if drawn is not None:
                    _train_kinds(arguments, drawn, reference, shots, seed, missing)
    if arguments.table:
        print_table(arguments.results)
        print_strategies(arguments.results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", metavar="REF", nargs="*")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--shots", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--test", type=int, default=500)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--results", type=Path, default=Path("runs/keep_rules"))
    parser.add_argument("--table", action="store_true", help="print the rules")
    return parser.parse_args()


def _path(
    arguments: argparse.Namespace, reference: str, shots: int, seed: int, kind: str
) -> Path:
    name = re.sub(r"[^a-z0-9_]+", "-", Path(reference.split(":")[-1]).name.lower())
    return arguments.results / f"{name}.{shots}.{seed}.{kind}.npz"


def _train_kinds(
    arguments: argparse.Namespace,
    drawn: Drawn,
    reference: str,
    shots: int,
    seed: int,
    kinds: Sequence[str],
) -> None:
    keras.utils.clear_session(free_memory=True)
    with tempfile.TemporaryDirectory() as folder:
        config = RunConfig(
            data=write_drawn(drawn, Path(folder)),
            backbone=arguments.backbone,
            seed=seed,
            input_size_px=arguments.size,
            precision="float32",
            # Whatever is measured: cuts are compared for all kinds in the same pass.
            strategy="cut",
        )
        config = checked(config, writes=False)
        prepared = prepare(config, DatasetRef.parse(config.data), Clock())
        start = prepared.base.model.get_weights()
        for kind in kinds:
            prepared.base.model.set_weights(start)
            keras.utils.set_random_seed(seed)
            began = time.process_time()
            plan = _plan(prepared, dataclasses.replace(config, strategy=KINDS[kind]))
            answers = _answers(prepared, plan, Path(folder) / kind)
            seconds = time.process_time() - began
            path = _path(arguments, reference, shots, seed, kind)
            kept: dict[str, Any] = {
                "processor_seconds": seconds,
                "auto": _kind_of_auto(prepared, config),
            }
            for name, part in answers.items():
                kept[f"{name}_logits"] = part.logits
                kept[f"{name}_labels"] = part.labels
            np.savez_compressed(path, **kept)
            print(f"{path.stem}: {_in_words(answers)}, {seconds:.0f} s", flush=True)


def _kind_of_auto(prepared: Prepared, config: RunConfig) -> str:
    """The kind whose training is what `auto` would do; empty for the head alone."""
    plan = _decided(prepared, dataclasses.replace(config, strategy="auto"))
    if plan.head.conv_blocks:
        return "cut"
    trained = max(len(phase.trainable_blocks) for phase in plan.phases)
    whole = len(prepared.base.blocks)
    return {0: "", whole: "all"}.get(trained, "half")


def _decided(prepared: Prepared, config: RunConfig) -> TransferPlan:
    return choose_plan(prepared.base, prepared.splits, prepared.measured, config)


def _plan(prepared: Prepared, config: RunConfig) -> TransferPlan:
    """The plan of a kind with its last phase alone, unguarded."""
    plan = _decided(prepared, config)
    last = dataclasses.replace(plan.phases[-1], only_if_better=False)
    return dataclasses.replace(plan, phases=(last,), precision="float32")


def _answers(
    prepared: Prepared, plan: TransferPlan, folder: Path
) -> dict[str, Answers]:
    """Trains, and answers validation and test with every blend."""
    splits = prepared.splits
    model = add_head(
        prepared.base,
        classes=prepared.problem.units,
        plan=plan.head,
        probe=prepared.measured.probe(plan.head),
    )
    before = model.model.get_weights()
    folder.mkdir()
    workspace = Workspace(
        history_path=folder / "history.jsonl",
        tensorboard_dir=folder / "tensorboard",
        head_features=prepared.measured.head_features(plan.head),
    )
    if plan.phases[0].trainable_blocks or plan.head.conv_blocks:
        fine_tune(model, splits, plan, workspace)
    trained = model.model.get_weights()
    lower, upper = _parts(model, plan)
    answered = {}
    for split in (splits.validation, splits.test):
        activations = _read(lower, model, split)
        logits = []
        for blend in BLENDS:
            model.model.set_weights(
                [(1 - blend) * b + blend * t for b, t in zip(before, trained)]
            )
            logits.append(upper.predict(activations, batch_size=64, verbose=0))
        answered[split.name] = Answers(np.stack(logits), split.labels)
    return answered


def _parts(
    model: TransferModel, plan: TransferPlan
) -> tuple[keras.Model | None, keras.Model]:
    """The part that no blend changes, if there is one, and the part above it."""
    (phase,) = plan.phases
    blocks = model.backbone.blocks
    if phase.trains_head_only:
        return (
            keras.Model(model.model.input, model.head_input),
            keras.Model(model.head_input, model.model.output),
        )
    depth = freezing.frozen_depth(blocks, phase.trainable_blocks)
    if depth == 0:
        return None, folded(model.model, in_inference=True)
    lower, upper = freezing.split_at(
        model.model, blocks, depth, pooled_blocks=model.pooled_blocks
    )
    return lower, folded(upper, in_inference=True)


def _read(lower: keras.Model | None, model: TransferModel, split: Split) -> list:
    read = batches(split, input_size_px=model.backbone.input_size_px, batch_size=64)
    if lower is None:
        return [np.concatenate([pixels.numpy() for pixels, _ in read])]
    return list(Reader(lower).extract(read))


def _in_words(answers: Mapping[str, Answers]) -> str:
    test = answers["test"]
    accuracies = [test.right(logits).mean() for logits in test.logits]
    return "test " + ", ".join(f"{accuracy:.3f}" for accuracy in accuracies)


if __name__ == "__main__":
    main()
