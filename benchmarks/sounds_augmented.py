"""Do changed copies of sounds help the head that is solved in closed form?

The sounds and classes of `benchmarks.sounds`. Each training sound is read three times:
as it is, and twice with its mel bands changed by noise (15 to 40 dB below the sound),
by a shift of up to 100 ms, by silence in up to 6 bands and 100 ms (SpecAugment,
https://arxiv.org/abs/1904.08779), or by all of these. Loudness is not changed, because
bands are relative to the loudest. A ridge on the features of MiniRocket, its strength
by cross-validation with all copies of a sound in one fold, answers the unchanged test
sounds.

Data:    as of benchmarks.sounds
Command: python -m benchmarks.sounds_augmented FOLDER [--tasks NAME ...] [--seeds N]
Cost:    a minute of one core a seed and task.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.sounds import TASKS, write
from pipelines.data.splits import Sounds, Split
from zoo.sounds.log_mel import RANGE_DB, STEPS_PER_SECOND

_COPIES, _FOLDS = 2, 5
_STRENGTHS = np.logspace(1, 5, 5)
_SHIFT = _LONGEST = STEPS_PER_SECOND // 10
_WIDEST = 6
_NOISE_DB = (15.0, 40.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sounds", type=Path)
    parser.add_argument("--tasks", nargs="*", default=["spoken", "folder"])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    for task in options.tasks:
        rows = []
        for seed in range(options.seeds):
            rows.append(_accuracies(options.sounds, task, seed))
            shown = ", ".join(f"{name} {x:.4f}" for name, x in rows[-1].items())
            print(f"  {task} {seed}: {shown}", flush=True)
        means = {name: np.mean([row[name] for row in rows]) for name in rows[0]}
        print(task, ", ".join(f"{name} {x:.4f}" for name, x in means.items()))


def noisy(bands: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A sound `[steps, bands]` with noise of one level in all of its bands."""
    energy = 10.0 ** (bands / 10)
    level = 10.0 ** (-draw.uniform(*_NOISE_DB) / 10) * np.nanmean(energy)
    decibels = 10 * np.log10(energy + level * draw.exponential(size=bands.shape))
    return np.maximum(decibels - np.nanmax(decibels), -RANGE_DB)


def shifted(bands: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A sound that begins later, after silence, or whose beginning is cut off."""
    steps = int(draw.integers(-_SHIFT, _SHIFT + 1))
    rows, rest = len(bands), np.full((abs(steps), bands.shape[1]), np.nan)
    if steps < 0:
        return np.concatenate([bands[-steps:], rest])
    return np.concatenate([np.full_like(rest, -RANGE_DB), bands])[:rows]


def masked(bands: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A sound with some bands, and a stretch of time, in silence."""
    x, end = bands.copy(), int((~np.isnan(bands).all(axis=1)).sum())
    width, length = draw.integers(0, (_WIDEST + 1, _LONGEST + 1))
    low = int(draw.integers(0, x.shape[1] - width))
    start = int(draw.integers(0, max(1, end - length)))
    x[:, low : low + width] = -RANGE_DB
    x[start : start + length] = -RANGE_DB
    return np.where(np.isnan(bands), np.nan, x)


CHANGES = {
    "noise": (noisy,),
    "shift": (shifted,),
    "masks": (masked,),
    "all": (noisy, shifted, masked),
}


def _accuracies(sounds: Path, task: str, seed: int) -> dict[str, float]:
    """The accuracy on test by what the copies are changed by."""
    import keras

    from pipelines.config import RunConfig, checked
    from pipelines.data.reference import DatasetRef
    from pipelines.runs.prepare import prepare
    from pipelines.runtime.clock import Clock

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        write(sounds, folder, TASKS[task])
        reference = f"dir:{folder}?validation=0.1&test=0.4&seed={seed}"
        config = checked(
            RunConfig(
                data=reference,
                seed=seed,
                precision="float32",
                workdir=f"{scratch}/run",
            )
        )
        prepared = prepare(config, DatasetRef.parse(config.data), Clock())
    model, splits = prepared.base.model, prepared.splits
    kernels = model.get_layer("kernels")
    read = keras.Model(model.input, kernels.input)
    parts = (splits.train, splits.validation, splits.test)
    *known, test = (_in_batches(read, _files(split)) for split in parts)
    x = np.concatenate(known)
    y = np.concatenate([split.labels for split in parts[:2]])
    first, asked = _in_batches(kernels, x), _in_batches(kernels, test)
    right = {"none": _right(first, y, 1, asked, splits.test.labels)}
    for name, changes in CHANGES.items():
        draw, copies = np.random.default_rng(seed), [first]
        for _ in range(_COPIES):
            some = x
            for change in changes:
                some = np.stack([change(one, draw) for one in some])
            copies.append(_in_batches(kernels, some.astype(np.float32)))
        features = np.concatenate(copies)
        right[name] = _right(features, y, len(copies), asked, splits.test.labels)
    return right


def _files(split: Split) -> np.ndarray:
    assert isinstance(split.inputs, Sounds)
    return split.inputs.values


def _in_batches(layer, values: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    starts = range(0, len(values), 32)
    return np.concatenate([layer(tf.constant(values[i : i + 32])) for i in starts])


def _right(
    features: np.ndarray,
    y: np.ndarray,
    copies: int,
    asked: np.ndarray,
    labels: np.ndarray,
) -> float:
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features)
    groups = np.tile(np.arange(len(y)), copies)
    search = GridSearchCV(
        RidgeClassifier(), {"alpha": _STRENGTHS}, cv=GroupKFold(_FOLDS)
    )
    search.fit(scaler.transform(features), np.tile(y, copies), groups=groups)
    return float(search.score(scaler.transform(asked), labels))


if __name__ == "__main__":
    main()
