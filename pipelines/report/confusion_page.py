"""The classes that a model confuses: a matrix for few classes, a list for many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from pipelines.display.html import Table, part

# Nobody reads a larger matrix, and one of a thousand classes is megabytes.
_MATRIX_CLASSES = 25
_SHOWN_PAIRS = 40


def confusion(
    split: str,
    counts: Sequence[Sequence[int]],
    names: Sequence[str],
    *,
    form: str = "matrix",
) -> Markup:
    """HTML for counts `[classes, classes]`: rows are the truth, columns the answers.

    In the form `pairs`, counts are rows of `(truth, answer, count)`.
    """
    pairs = as_pairs(counts, form)
    truth, answer, times = pairs.T
    is_matrix = form == "matrix" and len(names) <= _MATRIX_CLASSES
    wrong = int(times[truth != answer].sum())
    table, more = _most_frequent(split, pairs, names, wrong)
    return part(
        "confusion.html",
        split=split,
        examples=int(times.sum()),
        wrong=wrong,
        names=names,
        matrix=np.asarray(counts).tolist() if is_matrix else None,
        pairs=table,
        more=more,
    )


def as_pairs(counts: Sequence[Sequence[int]], form: str) -> np.ndarray:
    """`[pairs, 3]`: true class, answer and count of each pair that occurs."""
    values = np.asarray(counts, np.int64)
    if form == "pairs":
        return values.reshape(-1, 3)
    places = np.nonzero(values)
    return np.stack([*places, values[places]], axis=1)


def _most_frequent(
    split: str, pairs: np.ndarray, names: Sequence[str], wrong: int
) -> tuple[Table, int]:
    """The most frequent wrong pairs, and the number of the others."""
    truth, answer, times = pairs.T
    examples = np.bincount(truth, weights=times, minlength=len(names))
    off = pairs[truth != answer]
    most = off[np.argsort(off[:, 2], kind="stable")[::-1][:_SHOWN_PAIRS]]
    table = Table(
        f"{split}: {wrong} of {times.sum()} examples were wrong; the most frequent",
        ("true class", "answer", "times", "share of the class"),
        [
            (names[i], names[j], int(count), float(count / examples[i]))
            for i, j, count in most
        ],
    )
    return table, len(off) - len(most)
