"""Which classes were taken for which: a matrix for few classes, a list for many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipelines.display.html import table, text

# A matrix of more is not read by anyone, and of a thousand it is megabytes.
_MATRIX_CLASSES = 25
_SHOWN_PAIRS = 40
STYLE = """
.scroll { overflow-x: auto; }
.matrix td, .matrix thead th { text-align: right; padding: .15rem .5rem;
  min-width: 0; }
.matrix thead th { max-width: 8rem; overflow-wrap: anywhere; }
.matrix td.none { color: #6b6b6b; }
"""


def confusion(
    split: str,
    counts: Sequence[Sequence[int]],
    names: Sequence[str],
    *,
    form: str = "matrix",
) -> Iterator[str]:
    """HTML for counts `[classes, classes]`: rows are the truth, columns the answers.

    In the form `pairs` they are `(truth, answer, count)` of those that occur.
    """
    pairs = _as_pairs(counts, form)
    truth, answer, times = pairs.T
    examples, wrong = int(times.sum()), int(times[truth != answer].sum())
    if not wrong:
        yield f"<p>{text(split)}: all {examples} examples were right.</p>"
    elif form == "matrix" and len(names) <= _MATRIX_CLASSES:
        yield from _matrix(split, np.asarray(counts), names)
    else:
        yield from _pairs(split, pairs, names, wrong)


def _as_pairs(counts: Sequence[Sequence[int]], form: str) -> np.ndarray:
    """`[pairs, 3]`: the true class, the answer and how often; only what occurs."""
    found = np.asarray(counts, np.int64)
    if form == "pairs":
        return found.reshape(-1, 3)
    places = np.nonzero(found)
    return np.stack([*places, found[places]], axis=1)


def _matrix(split: str, counts: np.ndarray, names: Sequence[str]) -> Iterator[str]:
    caption = f"{split}: rows are the true class, columns the answer"
    yield (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{text(caption)}">'
        f'<table class="matrix"><caption>{text(caption)}</caption>'
    )
    columns = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    yield f'<thead><tr><th scope="col">class</th>{columns}</tr></thead><tbody>'
    for i, (name, row) in enumerate(zip(names, counts)):
        cells = "".join(
            _cell(int(count), int(row.sum()), right=i == j)
            for j, count in enumerate(row)
        )
        yield f'<tr><th scope="row">{text(name)}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _cell(count: int, of: int, *, right: bool) -> str:
    """A count, on a ground that is the stronger the greater its share of the class."""
    if not count:
        return '<td class="none">0</td>'
    ground = "66, 133, 244" if right else "234, 67, 53"
    # Below one half, so that the dark text is easy to read on it.
    return (
        f'<td style="background: rgba({ground}, {0.1 + 0.35 * count / of:.2f})">'
        f"{count}</td>"
    )


def _pairs(
    split: str, pairs: np.ndarray, names: Sequence[str], wrong: int
) -> Iterator[str]:
    truth, answer, times = pairs.T
    examples = np.bincount(truth, weights=times, minlength=len(names))
    off = pairs[truth != answer]
    most = off[np.argsort(off[:, 2], kind="stable")[::-1][:_SHOWN_PAIRS]]
    yield from table(
        f"{split}: {wrong} of {times.sum()} examples were wrong; the most frequent",
        ("true class", "answer", "times", "share of the class"),
        [
            (names[i], names[j], int(count), float(count / examples[i]))
            for i, j, count in most
        ],
    )
    if len(off) > len(most):
        yield (
            f"<p>{len(off) - len(most)} other pairs of classes were taken for each"
            " other; report.json has them all.</p>"
        )
