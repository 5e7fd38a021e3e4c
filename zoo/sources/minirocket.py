"""Builds MiniRocket and fits its thresholds, which come from the training data."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from zoo.catalog.series import KERNEL_COUNT, KERNEL_STEPS
from zoo.errors import BackboneError
from zoo.graph.gaps import filled, lengths
from zoo.graph.minirocket import MiniRocket, dilations_for, kernels, quantiles
from zoo.sounds.log_mel import steps_for
from zoo.spec import BackboneSpec, SeriesInput, SoundInput

# A kernel adds up the channels of at most as many as it has steps.
_MOST_CHANNELS = KERNEL_STEPS
_LAYER = "kernels"
_AT_ONCE = 256


def network(
    spec: BackboneSpec, series: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """The features `[batch, 9996]` of series with gaps, in any unit.

    Dilations follow from the length of the series; those of a published row from the
    length that it was fitted to, because its thresholds belong to them.
    """
    steps = series.shape[1]
    if spec.weights and isinstance(spec.input, SeriesInput):
        steps = spec.input.default_length_steps
    elif spec.weights and isinstance(spec.input, SoundInput):
        steps = steps_for(spec.input.default_length_ms)
    dilations, counts = dilations_for(steps)
    return MiniRocket(dilations, counts, autocast=False, name=_LAYER)(series)


def fit(model: keras.Model, examples: np.ndarray, *, seed: int) -> None:
    """Sets the weights to statistics of training series `[n, steps, channels]`.

    Examples of another kind are read as series first, by the layers before.

    `mean` and `scale` are of every channel over all series, and the thresholds are
    quantiles of what a kernel gives for a series that is drawn for it. The same series
    and seed give the same bits.

    Raises:
        BackboneError: if no value of the series is a finite number.
    """
    layer = model.get_layer(_LAYER)
    if layer.input is not model.input:
        read = keras.Model(model.input, layer.input)
        examples = np.concatenate([_read(read, some) for some in _slices(examples)])
    draw = np.random.default_rng(seed)
    mean, scale = _statistics(examples)
    layer.mean.assign(mean)
    layer.scale.assign(scale)
    if layer.combinations is not None:
        layer.combinations.assign(
            _combinations(KERNEL_COUNT * len(layer.dilations), examples.shape[2], draw)
        )
    layer.thresholds.assign(_thresholds(layer, examples, draw))


def _slices(examples: np.ndarray) -> list[np.ndarray]:
    return [examples[at : at + _AT_ONCE] for at in range(0, len(examples), _AT_ONCE)]


def _read(model: keras.Model, examples: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(keras.ops.convert_to_tensor(examples)))


def _statistics(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of every channel, and its deviation rounded up to a power of two.

    Dividing by that rounds nothing. A channel that never changes, or has no value, has
    the scale 1.
    """
    values = np.where(np.isfinite(series), series, np.nan).astype(np.float64)
    there = np.isfinite(values)
    if not there.any():
        raise BackboneError(
            "No value of the training series is a finite number, so nothing can be"
            " fitted to them."
        )
    count = np.maximum(there.sum(axis=(0, 1)), 1)
    mean = np.where(there, values, 0.0).sum(axis=(0, 1)) / count
    squares = np.where(there, np.square(values - mean), 0.0).sum(axis=(0, 1))
    deviation = np.sqrt(squares / count)
    # Relative: rounding errors around a large mean are not a signal.
    changes = deviation > np.maximum(1e-6 * np.abs(mean), np.finfo(np.float32).tiny)
    power = np.ceil(np.log2(np.where(changes, deviation, 1.0)))
    return mean.astype(np.float32), np.exp2(power).astype(np.float32)


def _combinations(rows: int, channels: int, draw: np.random.Generator) -> np.ndarray:
    """The channels that each kernel adds up: few of them more often than many."""
    largest = np.log2(min(channels, _MOST_CHANNELS) + 1)
    sizes = np.exp2(draw.uniform(0, largest, rows)).astype(np.int64)
    chosen = np.zeros((rows, channels), np.float32)
    for row, size in enumerate(sizes):
        chosen[row, draw.choice(channels, size, replace=False)] = 1.0
    return chosen


def _thresholds(
    layer: MiniRocket, series: np.ndarray, draw: np.random.Generator
) -> np.ndarray:
    """In the order of the layer: by dilation, place in its list, and kernel."""
    counts = layer.thresholds_per_dilation
    fill = quantiles(KERNEL_COUNT * sum(counts))
    combinations = (
        None if layer.combinations is None else np.asarray(layer.combinations)
    )
    fitted, start = [], 0
    for number, (dilation, count) in enumerate(zip(layer.dilations, counts)):
        end = start + KERNEL_COUNT * count
        # A kernel has neighbours in the sequence, as in the authors' code.
        shares = fill[start:end].reshape(KERNEL_COUNT, count)
        first = KERNEL_COUNT * number
        some = None if combinations is None else combinations[first:][:KERNEL_COUNT]
        drawn = draw.integers(len(series), size=KERNEL_COUNT)
        added = _added(layer, series, drawn, some)
        rows = [
            np.quantile(_convolved(x, kernel, dilation), share)
            for x, kernel, share in zip(added, kernels().T, shares)
        ]
        fitted.append(np.array(rows).T.ravel())
        start = end
    return np.concatenate(fitted).astype(np.float32)


def _added(
    layer: MiniRocket,
    series: np.ndarray,
    drawn: np.ndarray,
    combinations: np.ndarray | None,
) -> list[np.ndarray]:
    """For each kernel its channels of a drawn series, added up, up to its end."""
    raw = series[drawn].astype(np.float32)
    values = keras.ops.convert_to_numpy(layer.rounded(filled(raw)))
    ends = keras.ops.convert_to_numpy(lengths(raw))
    if combinations is None:
        combinations = np.ones((len(drawn), 1), np.float32)
    added = (values * combinations[:, None, :]).sum(axis=2)
    return [x[:end] for x, end in zip(added, ends)]


def _convolved(x: np.ndarray, kernel: np.ndarray, dilation: int) -> np.ndarray:
    """The sums of a kernel over one series, with zeros beyond its ends, `[steps]`."""
    reach = dilation * (KERNEL_STEPS // 2)
    padded = np.pad(x, reach)
    sums = np.zeros_like(x)
    for place, weight in enumerate(kernel):
        sums += weight * padded[place * dilation :][: len(x)]
    return sums
