"""Networks for tables beside logistic regression and boosted trees, and their transfer.

`accuracy` trains the default backbone on four sets that scikit-learn carries, with
every seed for splits and weights, and prints all three on test, the losses on
validation, and what a run recommends. `transfer` trains on half of the examples and
80 % of the columns, publishes that, and trains on 50 others with all columns: from the
published network, and anew.

Command: python -m benchmarks.tables accuracy
         python -m benchmarks.tables transfer
Cost:    five minutes of one core each.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SETS = ("iris", "wine", "breast_cancer", "digits")
_MODELS = ("network", "logistic_regression", "histogram_gradient_boosting")
_FEW = 50
_NEW_SHARE = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("accuracy", "transfer"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="*", default=SETS)
    options = parser.parse_args()
    part: Callable[..., None] = _accuracy if options.part == "accuracy" else _transfer
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["ZOOTUNE_HOME"] = scratch
        for name in options.sets:
            part(name, range(options.seeds), Path(scratch))


def _accuracy(name: str, seeds: range, scratch: Path) -> None:
    table = scratch / f"{name}.csv"
    _write(table, *_load(name))
    tests: list[list[float]] = []
    for seed in seeds:
        reference = f"csv:{table}?columns=*&seed={seed}"
        compared = _trained(reference, seed, scratch)[1].simple_models
        models = [compared["models"][model] for model in _MODELS]
        tests.append([model["test"] for model in models])
        losses = " / ".join(f"{model['validation_loss']:.3f}" for model in models)
        shown = " / ".join(f"{value:.4f}" for value in tests[-1])
        print(
            f"  {name} {seed}: test {shown}; validation loss {losses};"
            f" recommended: {compared['recommended']}",
            flush=True,
        )
    mean = " / ".join(f"{value:.4f}" for value in np.mean(tests, axis=0))
    print(f"{name}: {mean} ({' / '.join(_MODELS)})", flush=True)


def _transfer(name: str, seeds: range, scratch: Path) -> None:
    values, labels, columns = _load(name)
    gains: list[list[float]] = []
    for seed in seeds:
        draw = np.random.default_rng(seed)
        order, places = draw.permutation(len(values)), draw.permutation(len(columns))
        known = np.sort(places[: round((1 - _NEW_SHARE) * len(columns))])
        half = len(values) // 2
        source, few = order[:half], order[half : half + _FEW]
        tables = [scratch / f"{name}_{part}_{seed}.csv" for part in ("source", "few")]
        _write(tables[0], values[source][:, known], labels[source], columns[known])
        rest = order[half + _FEW :]
        _write(
            tables[1],
            values[np.concatenate([few, rest])],
            labels[np.concatenate([few, rest])],
            columns,
            splits=_splits_of(len(few), len(rest)),
        )
        row = f"{name}_{seed}"
        _published(f"csv:{tables[0]}?columns=*&seed={seed}", seed, scratch, row)
        reference = f"csv:{tables[1]}?columns=*&split=split"
        results = [
            _trained(reference, seed, scratch, backbone=backbone)[1].test
            for backbone in (row, "")
        ]
        gains.append([report.accuracy for report in results])
        print(
            f"  {name} {seed}: transferred {results[0].accuracy:.4f} (loss"
            f" {results[0].loss:.3f}), anew {results[1].accuracy:.4f} (loss"
            f" {results[1].loss:.3f})",
            flush=True,
        )
    transferred, anew = np.mean(gains, axis=0)
    print(f"{name}: transferred {transferred:.4f}, anew {anew:.4f}", flush=True)


def _splits_of(few: int, rest: int) -> list[str]:
    """Of the few a fifth is validation; the others are test."""
    validation = few // 5
    of_few = ["train"] * (few - validation) + ["validation"] * validation
    return [*of_few, *["test"] * rest]


def _load(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values `[n, columns]`, names of classes `[n]` and of columns."""
    from sklearn import datasets

    loaded = getattr(datasets, f"load_{name}")()
    labels = np.array([str(x) for x in loaded.target_names])[loaded.target]
    return loaded.data, labels, np.array([str(x) for x in loaded.feature_names])


def _write(
    path: Path,
    values: np.ndarray,
    labels: np.ndarray,
    columns: np.ndarray,
    splits: list[str] | None = None,
) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        more = ["split"] if splits else []
        writer.writerow([*columns, "label", *more])
        for i, (row, label) in enumerate(zip(values, labels)):
            writer.writerow([*row, label, *([splits[i]] if splits else [])])


def _config(reference: str, seed: int, workdir: Path, backbone: str = "") -> Any:
    from pipelines.config import RunConfig, checked

    return checked(
        RunConfig(
            data=reference,
            backbone=backbone,
            seed=seed,
            precision="float32",
            workdir=str(workdir),
        )
    )


def _trained(
    reference: str, seed: int, scratch: Path, *, backbone: str = ""
) -> tuple[Any, Any]:
    """The prepared run and the evaluation of what it would export."""
    from pipelines.data.reference import DatasetRef
    from pipelines.runs.prepare import prepare
    from pipelines.runtime.clock import Clock
    from pipelines.stages.calibrate import calibrate_model
    from pipelines.stages.evaluate import evaluate_held_out
    from pipelines.stages.finetune import fine_tune
    from pipelines.stages.head import add_head
    from pipelines.training.phases.workspace import Workspace

    config = _config(reference, seed, scratch / "run", backbone)
    prepared = prepare(config, DatasetRef.parse(config.data), Clock())
    model = add_head(prepared.base, **prepared.head())
    place = scratch / "training"
    fine_tune(
        model,
        prepared.splits,
        prepared.plan,
        Workspace(history_path=place / "history.jsonl", tensorboard_dir=place / "tb"),
    )
    calibrated = calibrate_model(
        model,
        prepared.splits,
        prepared.problem.calibration_config(config),
        batch_size=prepared.plan.batch_size,
    )
    return prepared, evaluate_held_out(calibrated, prepared.splits)


def _published(reference: str, seed: int, scratch: Path, name: str) -> None:
    """Trains a network, and makes it a row of the registry, as `zoo publish` does."""
    import zoo
    from zoo.graph.columns import columns_of
    from zoo.spec import TableInput, WeightsFile

    base = _trained(reference, seed, scratch)[0].base
    path = scratch / f"{name}.weights.h5"
    base.model.save_weights(path)
    zoo.register(
        dataclasses.replace(
            base.spec,
            name=name,
            input=TableInput(columns_of(base.model)),
            weights=WeightsFile(path.name, "Apache-2.0", path=str(path)),
        )
    )


if __name__ == "__main__":
    main()
