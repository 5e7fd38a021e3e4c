"""Compares detectors by normal examples that they do not know, and changed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from pipelines.data.input.batches import batches
from pipelines.data.splits import ImageArray, Series, Split
from pipelines.features.cells import cells_in
from pipelines.features.extract import Reader
from pipelines.planning.detectors import BY_COST, DetectorScore
from pipelines.probing.cells import OF_CELLS, MapDetector, with_cells
from pipelines.probing.detector import fit_detector
from pipelines.problems.anomalies.moving import SourceDetector
from pipelines.stages.detectors.injected import cut_paste, defective
from pipelines.stages.detectors.transfer import transfer_scores
from zoo.builder import Backbone
from zoo.graph.gaps import filled

# Examples that are judged: a third, or each third in turn where they are few.
_MOST_JUDGED, _FEW, _FOLDS = 200, 150, 3
_FEWEST = 9
# The modalities whose examples are changed into anomalies.
_CHANGED = ("image", "series")
# Examples that a detector is fitted to here.
_MOST_FITTED = 1000

Vectors = Mapping[tuple[str, int], np.ndarray]


def compare_detectors(
    base: Backbone,
    reader: Reader,
    vectors: Vectors,
    reads: Sequence[tuple[str, int]],
    normal: Split,
    *,
    batch_size: int,
    seed: int,
    source: SourceDetector | None = None,
    series: np.ndarray | None = None,
) -> tuple[DetectorScore, ...]:
    """The detectors in the order of their cost, each with its area under the curve.

    `vectors` are those of `normal`, and `reads` the blocks that a detector reads. A
    third is judged by detectors that are fitted to the rest; of few examples each third
    in turn, and the areas are averages. Nothing is compared of texts and sounds, which
    cannot be changed like that, and of too few examples. With a `source` the ways to
    take it over follow, which may read the `series` too.
    """
    if len(normal) < _FEWEST or base.spec.modality not in _CHANGED:
        return ()
    rows = np.random.default_rng(seed).permutation(len(normal))
    folds = [np.sort(rows[i::_FOLDS][:_MOST_JUDGED]) for i in range(_FOLDS)]
    judged = folds if len(normal) < _FEW else folds[:1]
    every = np.concatenate(judged)
    changed = _changed(base, normal.take(every), batch_size=batch_size, seed=seed)
    read = batches(changed, input_size_px=base.input_size_px, batch_size=batch_size)
    strange = dict(zip(vectors, reader.extract(read, dtype=np.float16), strict=True))
    areas: dict[str, list[float]] = {}
    for own in judged:
        fitted = np.setdiff1d(rows, own)[:_MOST_FITTED]
        its = np.isin(every, own)
        known = {key: values[fitted] for key, values in vectors.items()}
        new = {
            key: np.concatenate([values[own], strange[key][its]])
            for key, values in vectors.items()
        }
        is_strange = np.arange(2 * len(own)) >= len(own)
        all_scores = _scores(known, new, reads)
        if source is not None:
            all_scores |= transfer_scores(
                source,
                known,
                new,
                reads,
                known_series=None if series is None else series[fitted],
                new_series=None
                if series is None
                else np.concatenate([series[own], _filled(changed)[its]]),
            )
        for method, scores in all_scores.items():
            area = float(roc_auc_score(is_strange, scores))
            areas.setdefault(method, []).append(area)
    return tuple(
        _score(method, float(np.mean(some)), count=len(every))
        for method, some in areas.items()
    )


def _changed(base: Backbone, judged: Split, *, batch_size: int, seed: int) -> Split:
    """The examples as a split, with an anomaly in each."""
    read = batches(judged, input_size_px=base.input_size_px, batch_size=batch_size)
    inputs = np.concatenate([np.asarray(inputs) for inputs, _ in read])
    made: ImageArray | Series
    if base.spec.modality == "series":
        made = Series(defective(inputs, seed=seed).astype(np.float32))
    else:
        made = ImageArray(cut_paste(inputs, seed=seed))
    return Split("injected anomalies", made, judged.labels)


def _filled(changed: Split) -> np.ndarray:
    """The changed series without missing values."""
    if not isinstance(changed.inputs, Series):
        raise ValueError("Steps are of series alone.")
    return np.asarray(filled(changed.inputs.values))


def _scores(
    known: Vectors,
    new: Vectors,
    reads: Sequence[tuple[str, int]],
) -> dict[str, np.ndarray]:
    """Scores `[n]` of new examples by the name of each detector, cheaper ones first."""
    detector = fit_detector([known[key] for key in reads])
    parts = [new[key] for key in reads]
    scores = {}
    for method in BY_COST:
        own = detector.of_method(method)
        if method not in OF_CELLS:
            scores[method] = own.scores(parts)
            continue
        cells, new_cells = cells_in(known), cells_in(new)
        if cells is None or new_cells is None:
            continue
        placed: MapDetector = with_cells(own, [known[key] for key in reads], *cells)
        scores[method] = placed.scores_of_cells(parts, new_cells[0])
    return scores


def _score(method: str, area: float, *, count: int) -> DetectorScore:
    """The area with its standard error by Hanley and McNeil, for `count` pairs."""
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (count - 1) * (one + two - 2 * area**2)
    error = float(np.sqrt(max(variance, 0.0))) / count
    return DetectorScore(method, area, error)
