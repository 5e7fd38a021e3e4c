"""A whole run beside what others do: accuracy and seconds on the same examples.

From each data set, as many training images per class as `--shots` says are drawn by
seed, and a quarter as many (at least one) for validation. Every contender trains on the
drawn training images; `zootune` uses validation to choose and to calibrate, the others'
recipes do not use one. All are tested on the same images, at most `--test`, of the
test split of the reference. Images are brought to `--size` before, by the same ops.

Seconds are from pixels in memory to a model that answers: for zootune that is reading
and checking, measuring, training and calibration, without export. The backbone is built
before. What is done is kept in `--results`, and a second call goes on from there; so
the table can be printed of any part. Seconds are compared where they are of one machine
and one day. A peer that trains blocks leaves some 100 MB in the process: on a small
machine, call it once for each number of images.

The other development sets are made by `benchmarks.development_data`.

Command: python -m benchmarks.transfer builtin:mnist_5k --shots 5 20 --seeds=5
Cost:    about 2 minutes on two CPU cores for each seed of 20 images in 10 classes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from scipy import stats

import zoo
from benchmarks.peers import PEERS
from benchmarks.trained import train
from pipelines.config import RunConfig
from pipelines.data.input.batches import batches
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Split, Splits, first
from pipelines.problems.class_reports import evaluate
from pipelines.runtime.devices import processor_features
from pipelines.stages.outputs import outputs
from zoo.builder import Backbone

OURS = "zootune"
# Everything between the data and an answer.
_STAGES = ("data", "measure", "head", "finetune", "calibrate")


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """One contender on one draw of one data set."""

    data: str
    shots: int
    seed: int
    contender: str


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    accuracy: float
    seconds: float
    calibration_error: float | None = None
    date: str = ""
    processor: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
    """Pixels uint8 `[n, size, size, 3]` and labels `[n]` of each split, by its name."""

    pixels: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    classes: int


def main() -> None:
    arguments = _arguments()
    done = _read(arguments.results)
    warm = False
    for reference in arguments.data:
        drawn_from = pool(reference, arguments.size, arguments.test)
        for cell in _cells(reference, arguments):
            if cell in done:
                continue
            drawn = draw(drawn_from, cell.shots, cell.seed)
            if drawn is None:
                print(f"{cell}: too few images in a class", flush=True)
                continue
            if not warm:  # the first run in a process loads and compiles for seconds
                _measure(cell, drawn, arguments)
                warm = True
            done[cell] = dataclasses.replace(
                _measure(cell, drawn, arguments),
                date=time.strftime("%Y-%m-%d"),
                processor=f"{os.cpu_count()} cores, {' '.join(processor_features())}",
            )
            print(f"{cell} {done[cell]}", flush=True)
            _append(arguments.results, cell, done[cell])
    _print(done)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", metavar="REF", nargs="+")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 5, 20, 100])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--test", type=int, default=500)
    parser.add_argument("--effort", default="minutes")
    parser.add_argument("--contenders", nargs="+", default=[OURS, *PEERS])
    parser.add_argument("--results", type=Path, default=Path("runs/transfer.jsonl"))
    return parser.parse_args()


def _cells(reference: str, arguments: argparse.Namespace) -> Iterator[Cell]:
    for shots in arguments.shots:
        for seed in range(arguments.seeds):
            for contender in arguments.contenders:
                yield Cell(reference, shots, seed, contender)


def pool(reference: str, size_px: int, test: int) -> Drawn:
    splits = load(DatasetRef.parse(reference))
    rng = np.random.default_rng(0)
    tested = np.sort(rng.permutation(len(splits.test))[:test])
    parts = {
        "train": splits.train,
        "validation": splits.validation,
        "test": splits.test.take(tested),
    }
    return Drawn(
        {name: _pixels(part, size_px) for name, part in parts.items()},
        {name: part.labels for name, part in parts.items()},
        len(splits.info.class_names),
    )


def _pixels(split: Split, size_px: int) -> np.ndarray:
    stream = batches(split, input_size_px=size_px, batch_size=256)
    return np.concatenate([pixels.numpy() for pixels, _ in stream])


def draw(drawn_from: Drawn, shots: int, seed: int) -> Drawn | None:
    """`shots` of each class to train on, and nothing if a class has fewer."""
    rng = np.random.default_rng(seed)
    rows = {"test": np.arange(len(drawn_from.labels["test"]))}
    for name, count in (("train", shots), ("validation", max(1, shots // 4))):
        shuffled = rng.permutation(len(drawn_from.labels[name]))
        labels = drawn_from.labels[name][shuffled]
        chosen = [
            shuffled[labels == label][:count] for label in range(drawn_from.classes)
        ]
        if min(map(len, chosen)) < count:
            return None
        rows[name] = np.sort(np.concatenate(chosen))
    return Drawn(
        {name: drawn_from.pixels[name][members] for name, members in rows.items()},
        {name: drawn_from.labels[name][members] for name, members in rows.items()},
        drawn_from.classes,
    )


def _measure(cell: Cell, drawn: Drawn, arguments: argparse.Namespace) -> Result:
    keras.utils.clear_session(free_memory=True)
    keras.utils.set_random_seed(cell.seed)
    if cell.contender == OURS:
        return _run(cell, drawn, arguments)
    backbone: Backbone = zoo.build(arguments.backbone, input_size_px=arguments.size)
    started = time.perf_counter()
    classify = PEERS[cell.contender](
        backbone, drawn.pixels["train"], drawn.labels["train"], drawn.classes, cell.seed
    )
    seconds = time.perf_counter() - started
    found = classify(drawn.pixels["test"])
    return Result(float((found == drawn.labels["test"]).mean()), seconds)


def _run(cell: Cell, drawn: Drawn, arguments: argparse.Namespace) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        config = RunConfig(
            data=write_drawn(drawn, Path(folder)),
            backbone=arguments.backbone,
            workdir=f"{folder}/run",
            seed=cell.seed,
            input_size_px=arguments.size,
            effort=arguments.effort,
        )
        # Answers for the test images are not among what is timed of the others.
        trained = train(config, of_splits=_with_one_test_image)
    splits = trained.splits
    seconds = sum(trained.seconds[stage] for stage in _STAGES)
    (answers,) = outputs(trained.model, [splits.test], batch_size=config.batch_size)
    found = evaluate(
        answers, trained.calibrated.calibration, class_names=splits.info.class_names
    )
    return Result(found.accuracy, seconds, found.calibration_error)


def write_drawn(drawn: Drawn, folder: Path) -> str:
    """Writes the drawn images into a folder, and gives their reference."""
    names = list(drawn.labels)
    np.savez(
        folder / "drawn.npz",
        x=np.concatenate([drawn.pixels[name] for name in names]),
        y=np.concatenate([drawn.labels[name] for name in names]),
        split=np.repeat(names, [len(drawn.labels[name]) for name in names]),
    )
    return f"npz:{folder}/drawn.npz"


def _with_one_test_image(splits: Splits) -> Splits:
    return dataclasses.replace(splits, test=first(splits.test, 1))


def _read(path: Path) -> dict[Cell, Result]:
    if not path.exists():
        return {}
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return {Cell(**one["cell"]): Result(**one["result"]) for one in records}


def _append(path: Path, cell: Cell, result: Result) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"cell": dataclasses.asdict(cell), "result": dataclasses.asdict(result)}
    with path.open("a") as stream:
        stream.write(json.dumps(record) + "\n")


def _print(done: dict[Cell, Result]) -> None:
    """Tables of accuracy and seconds, and what the claims rest on."""
    contenders = [
        name for name in (OURS, *PEERS) if any(cell.contender == name for cell in done)
    ]
    tasks = sorted({(cell.data, cell.shots) for cell in done})
    found = {task: _by_seed(done, *task, contenders) for task in tasks}
    found = {task: values for task, values in found.items() if values}
    print(f"\n| data | images per class | {' | '.join(contenders)} |")
    print(f"| --- | --- {'| --- ' * len(contenders)}|")
    for (data, shots), rows in found.items():
        cells = [_spread([row[name].accuracy for row in rows]) for name in contenders]
        print(f"| {data} | {shots} | {' | '.join(cells)} |")
    print(f"\n| data | images per class | {' s | '.join(contenders)} s |")
    print(f"| --- | --- {'| --- ' * len(contenders)}|")
    for (data, shots), rows in found.items():
        seconds = [
            statistics.median(row[name].seconds for row in rows) for name in contenders
        ]
        print(f"| {data} | {shots} | {' | '.join(f'{s:.1f}' for s in seconds)} |")
    if OURS in contenders and len(contenders) > 1:
        _print_claims(list(found.values()), list(found), contenders)


def _by_seed(
    done: dict[Cell, Result], data: str, shots: int, contenders: Sequence[str]
) -> list[dict[str, Result]]:
    """For each seed that every contender has been through, their results."""
    seeds = sorted({c.seed for c in done if (c.data, c.shots) == (data, shots)})
    rows = [
        {name: done.get(Cell(data, shots, seed, name)) for name in contenders}
        for seed in seeds
    ]
    return [
        {name: result for name, result in row.items() if result is not None}
        for row in rows
        if None not in row.values()
    ]


def _print_claims(
    found: Sequence[Sequence[dict[str, Result]]],
    tasks: Sequence[tuple[str, int]],
    contenders: Sequence[str],
) -> None:
    mean = np.array(
        [
            [np.mean([row[name].accuracy for row in rows]) for name in contenders]
            for rows in found
        ]
    )
    ranks = stats.rankdata(-mean, axis=1).mean(axis=0)
    error = 1 - mean.mean(axis=0)
    print("\n| | " + " | ".join(contenders) + " |")
    print(f"| --- {'| --- ' * len(contenders)}|")
    print("| mean rank | " + " | ".join(f"{r:.2f}" for r in ranks) + " |")
    print("| mean error | " + " | ".join(f"{e:.4f}" for e in error) + " |")
    ours = contenders.index(OURS)
    peers = [i for i in range(len(contenders)) if i != ours]
    best = min(peers, key=lambda i: error[i])
    print(
        f"\nMean error / that of the best peer, {contenders[best]}:"
        f" {error[ours] / error[best]:.3f}"
    )
    for rows, task, row_means in zip(found, tasks, mean):
        peer = contenders[max(peers, key=lambda i: row_means[i])]
        pairs = [(row[OURS].accuracy, row[peer].accuracy) for row in rows]
        difference = np.subtract(*np.transpose(pairs))
        p = stats.ttest_1samp(difference, 0).pvalue if len(pairs) > 1 else float("nan")
        print(
            f"{task[0]}, {task[1]} per class: {difference.mean():+.4f} against {peer}"
            f" (p = {p:.3f}, {len(pairs)} seeds)"
        )
    if "keras guide" in contenders:
        ratios = [
            row[OURS].seconds / row["keras guide"].seconds
            for rows in found
            for row in rows
            if _of_one_machine(row[OURS], row["keras guide"])
        ]
        if not ratios:
            return
        print(
            f"Seconds / the Keras guide's, {len(ratios)} pairs: median"
            f" {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}"
        )


def _of_one_machine(one: Result, other: Result) -> bool:
    return (one.date, one.processor) == (other.date, other.processor)


def _spread(values: Sequence[float]) -> str:
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.4f} ± {error:.4f}"


if __name__ == "__main__":
    main()
