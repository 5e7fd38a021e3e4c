"""Rules for keeping what a phase trained, over the development sets.

For each draw of a data set (`benchmarks.transfer`) the probe is solved, and then blocks
train once for each kind: the last `half`, `all`, and `cut` (the network is cut after
the best depth, and a new residual block trains under the head). The logits of the
blends of weights, from the probe (0) to what was trained (1), are kept for validation
and test. So every rule is computed from one training, and new rules need none.

Rules, each with what it keeps on validation:

* `never`: the probe; `always`: what was trained.
* `accuracy`: the blend that is right most often, if its gain in accuracy is more than
  its standard error.
* `log loss`: the blend of least log loss, if its paired gain is more than its standard
  error; `log loss 2`: more than two of them.
* `both`: the blend of least log loss, if that passes and accuracy does not fall.
* `quarter`: a quarter of the change, if its paired gain in log loss is more than its
  standard error; `guard`: as `accuracy`, or else as `quarter`.
* `prior`: the blend of the largest posterior, where the probe has half of the prior.
* `average`: the mean of the logits of the probe and of what was trained, always;
  `average if`: if its paired gain in log loss is more than its standard error.

A second table compares strategies on the same draws: `head_only` is the probe;
`partial`, `full` and `cut` keep what was trained, whole, if the rule `accuracy` says
so; `auto` is the kind that its plan chooses, kept by the rule `guard`.

A rule is admitted if no kind and number of images is worse than the probe on test with
p < .05 (paired t-test over draws); of those the one with the least mean error is best.

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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from scipy import stats
from scipy.special import log_softmax

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

BLENDS = (0.0, 0.25, 0.5, 0.75, 1.0)
# The strategy of each kind.
KINDS: Mapping[str, str] = {"half": "partial", "all": "full", "cut": "cut"}


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """Logits `[blends, n, classes]` and labels `[n]` of one split."""

    logits: np.ndarray
    labels: np.ndarray

    def log_p(self, logits: np.ndarray) -> np.ndarray:
        """The log probability of each label, `[n]`."""
        logs = log_softmax(logits.astype(np.float64), axis=-1)
        return logs[np.arange(len(self.labels)), self.labels]

    def right(self, logits: np.ndarray) -> np.ndarray:
        """1 for each example that is answered right, `[n]`."""
        return (logits.argmax(axis=-1) == self.labels).astype(np.float64)


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


# A rule gives the logits on test, of what it keeps by validation.
Rule = Callable[[Answers, Answers], np.ndarray]


def never(validation: Answers, test: Answers) -> np.ndarray:
    """The probe."""
    return test.logits[0]


def always(validation: Answers, test: Answers) -> np.ndarray:
    """What was trained."""
    return test.logits[-1]


def by_accuracy(validation: Answers, test: Answers) -> np.ndarray:
    """The most accurate blend, if it gains more than a standard error."""
    return test.logits[_accurate_blend(validation)]


def _accurate_blend(validation: Answers) -> int:
    right = [validation.right(logits) for logits in validation.logits]
    loss = [-validation.log_p(logits).mean() for logits in validation.logits]
    best = max(range(1, len(BLENDS)), key=lambda i: (right[i].mean(), -loss[i]))
    return best if _passes(right[best] - right[0], one_more=1) else 0


def whole_or_nothing(validation: Answers, test: Answers) -> np.ndarray:
    """What was trained, if it is right more often by more than a standard error."""
    first, last = (validation.right(validation.logits[i]) for i in (0, -1))
    return test.logits[-1 if _passes(last - first, one_more=1) else 0]


def by_log_loss(errors: float) -> Rule:
    """The blend of least log loss, if it gains more than some standard errors."""

    def rule(validation: Answers, test: Answers) -> np.ndarray:
        gain = [validation.log_p(logits) for logits in validation.logits]
        best = max(range(1, len(BLENDS)), key=lambda i: gain[i].mean())
        passes = _passes(gain[best] - gain[0], errors=errors)
        return test.logits[best if passes else 0]

    return rule


def by_both(validation: Answers, test: Answers) -> np.ndarray:
    """As by log loss, where accuracy does not fall."""
    gain = [validation.log_p(logits) for logits in validation.logits]
    right = [validation.right(logits).mean() for logits in validation.logits]
    allowed = [i for i in range(1, len(BLENDS)) if right[i] >= right[0]]
    if not allowed:
        return test.logits[0]
    best = max(allowed, key=lambda i: gain[i].mean())
    return test.logits[best if _passes(gain[best] - gain[0]) else 0]


def by_quarter(validation: Answers, test: Answers) -> np.ndarray:
    """A quarter of the change, if that gains in log loss."""
    before, after = (validation.log_p(validation.logits[i]) for i in (0, 1))
    return test.logits[1 if _passes(after - before) else 0]


def by_guard(validation: Answers, test: Answers) -> np.ndarray:
    """As by accuracy, or else a quarter of the change."""
    blend = _accurate_blend(validation)
    return test.logits[blend] if blend else by_quarter(validation, test)


def by_prior(validation: Answers, test: Answers) -> np.ndarray:
    """The blend of the largest posterior; the probe has half of the prior."""
    likelihood = [validation.log_p(logits).sum() for logits in validation.logits]
    prior = np.log([0.5, *[0.5 / (len(BLENDS) - 1)] * (len(BLENDS) - 1)])
    return test.logits[int(np.argmax(np.array(likelihood) + prior))]


def average(validation: Answers, test: Answers) -> np.ndarray:
    """The mean of the logits of both ends."""
    return (test.logits[0] + test.logits[-1]) / 2


def average_if(validation: Answers, test: Answers) -> np.ndarray:
    """The mean of the logits, if it gains in log loss."""
    mean = (validation.logits[0] + validation.logits[-1]) / 2
    gain = validation.log_p(mean) - validation.log_p(validation.logits[0])
    return average(validation, test) if _passes(gain) else test.logits[0]


def _passes(gain: np.ndarray, *, errors: float = 1.0, one_more: float = 0.0) -> bool:
    """True if a mean gain is more than its standard error.

    Gains in accuracy count one change more than was seen, as the guard does.
    """
    if one_more:
        error = np.sqrt(np.square(gain).sum() + one_more) / len(gain)
    else:
        error = gain.std(ddof=1) / np.sqrt(len(gain))
    return bool(gain.mean() > errors * error)


RULES: Mapping[str, Rule] = {
    "never": never,
    "always": always,
    "accuracy": by_accuracy,
    "log loss": by_log_loss(1.0),
    "log loss 2": by_log_loss(2.0),
    "both": by_both,
    "quarter": by_quarter,
    "guard": by_guard,
    "prior": by_prior,
    "average": average,
    "average if": average_if,
}


def print_table(folder: Path) -> None:
    """Mean errors of each rule by kind and images per class, and the best rule."""
    errors: dict[tuple[int, str], list[list[float]]] = {}
    for path in sorted(folder.glob("*.npz")):
        _, shots, _, kind = _cell(path)
        kept = np.load(path)
        validation, test = (
            Answers(kept[f"{name}_logits"], kept[f"{name}_labels"])
            for name in ("validation", "test")
        )
        row = [1 - test.right(rule(validation, test)).mean() for rule in RULES.values()]
        errors.setdefault((shots, kind), []).append(row)
    print(f"| kind | images per class | draws | {' | '.join(RULES)} |")
    print(f"| --- | --- | --- {'| --- ' * len(RULES)}|")
    worse: dict[str, list[str]] = {name: [] for name in RULES}
    for (shots, kind), rows in sorted(errors.items()):
        table = np.array(rows)
        means = " | ".join(f"{mean:.4f}" for mean in table.mean(axis=0))
        print(f"| {kind} | {shots} | {len(rows)} | {means} |")
        for name, column in zip(RULES, table.T):
            if _is_worse(column - table[:, 0]):
                worse[name].append(f"{kind} at {shots}")
    whole = np.concatenate([np.array(rows) for rows in errors.values()])
    means = " | ".join(f"{mean:.4f}" for mean in whole.mean(axis=0))
    print(f"| all | | {len(whole)} | {means} |")
    for name, column in zip(RULES, whole.T):
        if _is_worse(column - whole[:, 0]):
            worse[name].append("all")
    for name, cells in worse.items():
        if cells:
            print(f"{name}: worse than the probe with p < .05: {', '.join(cells)}")
    admitted = [i for i, name in enumerate(RULES) if not worse[name]]
    best = min(admitted, key=lambda i: whole[:, i].mean())
    print(f"Best of the admitted rules: {list(RULES)[best]}")


def print_strategies(folder: Path) -> None:
    """Mean accuracy of each strategy by data and images per class."""
    draws: dict[tuple[str, int, str], dict[str, float]] = {}
    for path in sorted(folder.glob("*.npz")):
        data, shots, seed, kind = _cell(path)
        kept = np.load(path)
        validation, test = (
            Answers(kept[f"{name}_logits"], kept[f"{name}_labels"])
            for name in ("validation", "test")
        )
        row = draws.setdefault((data, shots, seed), {})

        def accuracy(logits: np.ndarray, test: Answers = test) -> float:
            return float(test.right(logits).mean())

        row[KINDS[kind]] = accuracy(whole_or_nothing(validation, test))
        if kind != "cut":
            row["head_only"] = accuracy(test.logits[0])
        if kind == str(kept["auto"]):
            row["auto"] = accuracy(by_guard(validation, test))
        elif not str(kept["auto"]) and kind != "cut":
            row["auto"] = accuracy(test.logits[0])
    names = ("head_only", *KINDS.values(), "auto")
    print(f"\n| data | images per class | draws | {' | '.join(names)} |")
    print(f"| --- | --- | --- {'| --- ' * len(names)}|")
    cells: dict[tuple[str, int], list[dict[str, float]]] = {}
    for (data, shots, _), row in draws.items():
        cells.setdefault((data, shots), []).append(row)
    for (data, shots), rows in sorted(cells.items()):
        means = [_mean([row[name] for row in rows if name in row]) for name in names]
        print(f"| {data} | {shots} | {len(rows)} | {' | '.join(means)} |")
    whole = [row for row in draws.values() if "auto" in row]
    near = [row["auto"] >= max(row.values()) - 0.01 for row in whole]
    print(f"auto within a point of the best: {sum(near)} of {len(near)} draws")
    for name in names[:-1]:
        pairs = [(row["auto"], row[name]) for row in whole if name in row]
        gain = np.subtract(*np.transpose(pairs)) if pairs else np.zeros(0)
        if len(gain):
            print(f"auto above {name}: {gain.mean():+.4f} on {len(gain)} draws")


def _cell(path: Path) -> tuple[str, int, str, str]:
    """The data, images per class, seed and kind that a file is of."""
    data, shots, seed, kind = path.stem.split(".")
    return data, int(shots), seed, kind


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.4f}" if values else "-"


def _is_worse(difference: np.ndarray) -> bool:
    if len(difference) < 2 or not difference.any() or difference.mean() <= 0:
        return False
    return bool(stats.ttest_1samp(difference, 0).pvalue < 0.05)


if __name__ == "__main__":
    main()
