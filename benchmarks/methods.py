"""Adaptation between emoji of two vendors, and where the target lacks classes.

Features of EfficientNet-Lite0 at 128 px are kept once, in `--kept`. Of the emoji, 70 %
are drawn by code point (the name of the file), and train a head with the drawings of
one vendor; the drawings of the other 30 % by the other vendor are the target. Its
labels judge, and choose nothing. The settings are those of the config. In the last pair
the target has 3 of 9 classes.

A row for each method: accuracy on the target, mean and standard deviation over seeds.
`auto, no labels` is the head of the source, by design. `auto, 50 labels` draws 50
labelled target examples, which choose as in a run, and is judged by the others, and so
is `labels join`, the linear head that these 50 joined. `loss` is how often a method was
below the source. With `--verbose` the proxy A-distance after each.

Data are those of `benchmarks.development_data`, in `--data`.

Command: python -m benchmarks.methods --data=FOLDER --kept=FOLDER [--seeds=5]
         [--blocks=last|all] [--methods dann ...]
Cost:    a minute of features and 40 s a seed and pair on two cores; labels three more.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import zoo
from pipelines.data.input.batches import batches
from pipelines.data.load import load_part
from pipelines.data.reference import DatasetRef
from pipelines.features.block_vectors import PIXELS, vectors_of
from pipelines.features.extract import Reader
from pipelines.methods.adaptation.apply import FUNCTIONS, adapt, measured
from pipelines.methods.adaptation.choice import Labelled, choose, join
from pipelines.methods.adaptation.domains import Domains, Settings
from pipelines.methods.adaptation.head import Adapted, unchanged
from pipelines.probing.probe import linear_probe, score
from pipelines.stages.base import freeze_base

_SIZE_PX, _TRAINED, _LABELLED, _FEW_CLASSES = 128, 0.7, 50, 3
_PAIRS = (("google", "twitter"), ("twitter", "google"))
SOURCE, CHOSEN, JOINED = "source", "auto, 50 labels", "labels join"


def kept(vendor: str, data: Path, folder: Path) -> dict[str, np.ndarray]:
    """The features of all blocks, labels and names of the drawings of a vendor."""
    path = folder / f"{vendor}.npz"
    if not path.is_file():
        base = freeze_base(zoo.build("efficientnet_lite0", input_size_px=_SIZE_PX))
        outputs = {
            name: tensor
            for (name, grid), tensor in vectors_of(base).items()
            if grid == 1 and name != PIXELS
        }
        ref = DatasetRef.parse(f"dir:{data / f'emoji_{vendor}'}")
        split, _ = load_part(ref, "all", trained_on=())
        stream = batches(split, input_size_px=_SIZE_PX, batch_size=32)
        reader = Reader(keras.Model(base.model.input, list(outputs.values())))
        read = dict(zip(outputs, reader.extract(stream, dtype=np.float16)))
        codes = [Path(name).stem for name in split.names or ()]
        arrays: dict[str, Any] = {"labels": split.labels, "codes": np.array(codes)}
        np.savez(path, **{**arrays, **read})
    with np.load(path) as file:
        return dict(file)


def pair_of(
    source: dict[str, np.ndarray],
    target: dict[str, np.ndarray],
    *,
    blocks: str,
    seed: int,
    few_classes: bool = False,
) -> tuple[Domains, np.ndarray]:
    """The domains of a pair, and the labels of the target, which are not in them."""
    names = [name for name in source if name not in ("labels", "codes")]
    names = names[-1:] if blocks == "last" else names
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.union1d(source["codes"], target["codes"]))
    own = codes[: int(_TRAINED * len(codes))]
    trains, held = np.isin(source["codes"], own), ~np.isin(target["codes"], own)
    if few_classes:
        classes = rng.permutation(np.unique(target["labels"]))[:_FEW_CLASSES]
        held &= np.isin(target["labels"], classes)
    parts = [source[name][trains].astype(np.float32) for name in names]
    labels = source["labels"][trains]
    scored = score(parts, labels, groups=None, reads=tuple(names), grid=1)

    def rows(of: dict[str, np.ndarray], which: np.ndarray) -> np.ndarray:
        return np.concatenate([of[name][which] for name in names], 1).astype("f4")

    domains = Domains(
        linear_probe(parts, labels, scored),
        np.concatenate(parts, axis=1),
        labels,
        np.arange(len(labels)),
        rows(source, ~trains),
        source["labels"][~trains],
        rows(target, held),
    )
    return domains, target["labels"][held]


def judged(
    domains: Domains, truth: np.ndarray, methods: list[str], settings: Settings
) -> Iterator[tuple[str, float, float]]:
    """Each method with its accuracy on the target, and the distance after it."""

    def right(adapted: Adapted, rows: np.ndarray) -> float:
        answers = adapted.head.logits([domains.target[rows]]).argmax(axis=1)
        return float((answers == truth[rows]).mean())

    every = np.arange(len(truth))
    heads = {SOURCE: unchanged(domains.probe)}
    for name in methods:
        if name in FUNCTIONS:
            heads[name] = adapt(name, domains, settings)
    for name, head in heads.items():
        yield name, right(head, every), measured(domains, head).distance
    if CHOSEN not in methods:
        return
    drawn = np.random.default_rng(settings.seed).permutation(every)
    some, rest = drawn[:_LABELLED], drawn[_LABELLED:]
    labelled = Labelled(domains.target[some], truth[some], some)
    choice = choose(domains, labelled, settings)
    base = right(heads[SOURCE], every)
    # As a difference to the source on the same examples, so that rows compare.
    gain = right(choice.adapted, rest) - right(heads[SOURCE], rest)
    yield CHOSEN, base + gain, measured(domains, choice.adapted).distance
    with_labels = dataclasses.replace(
        domains, labelled=labelled.features, labelled_labels=labelled.labels
    )
    joined = join(with_labels, settings)
    gain = right(joined, rest) - right(heads[SOURCE], rest)
    yield JOINED, base + gain, measured(domains, joined).distance


def main() -> None:
    """Prints a row for each method, and a column for each pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--kept", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--blocks", choices=("last", "all"), default="last")
    parser.add_argument("--methods", nargs="+", default=[*FUNCTIONS, CHOSEN])
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    arguments.kept.mkdir(parents=True, exist_ok=True)
    started = time.process_time()
    read = {
        vendor: kept(vendor, arguments.data, arguments.kept)
        for vendor in ("google", "twitter")
    }
    columns = [(*pair, False) for pair in _PAIRS]
    columns += [(*_PAIRS[0], True)]
    reached: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for source, target, few in columns:
        title = f"{source} -> {target}" + (", 3 of 9 classes" if few else "")
        for seed in range(arguments.seeds):
            domains, truth = pair_of(
                read[source],
                read[target],
                blocks=arguments.blocks,
                seed=seed,
                few_classes=few,
            )
            settings = Settings(seed=seed)
            for name, right, apart in judged(
                domains, truth, arguments.methods, settings
            ):
                reached[name][title].append(right)
                if arguments.verbose:
                    print(
                        title, seed, name, f"{right:.4f}, apart {apart:.2f}", flush=True
                    )
    titles = list(reached[SOURCE])
    print(f"| {arguments.blocks} | {' | '.join(titles)} | loss |")
    print(f"| --- |{' ---: |' * (len(titles) + 1)}")
    for name, by_pair in reached.items():
        cells = [f"{np.mean(v):.3f} ± {np.std(v):.3f}" for v in by_pair.values()]
        lost = sum(
            sum(a < b for a, b in zip(by_pair[title], reached[SOURCE][title]))
            for title in titles
        )
        runs = sum(map(len, by_pair.values()))
        print(f"| {name} | {' | '.join(cells)} | {lost} of {runs} |")
    print(f"{time.process_time() - started:.0f} CPU seconds")


if __name__ == "__main__":
    main()
