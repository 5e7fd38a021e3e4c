"""The proxy A-distance of two domains: how well a linear classifier parts them."""

from __future__ import annotations

import numpy as np

from pipelines.probing.probe import score

# Of each domain; an error of a percent shows with these.
_MOST_ROWS = 500


def a_distance(source: np.ndarray, target: np.ndarray, *, seed: int = 0) -> float:
    """`2 (1 - 2 error)` of a linear classifier of domains on rows left out of its fit.

    0 where domains look alike, 2 where each example shows its domain
    (https://doi.org/10.1007/s10994-009-5152-4). Takes features `[rows, width]`, at
    most 500 of each domain, and as many of one as of the other.
    """
    rng = np.random.default_rng(seed)
    count = min(len(source), len(target), _MOST_ROWS)
    rows = [
        domain[rng.permutation(len(domain))[:count]].astype(np.float32)
        for domain in (source, target)
    ]
    labels = np.repeat([0, 1], count)
    scored = score(
        [np.concatenate(rows)], labels, groups=None, reads=("domain",), grid=1
    )
    return float(max(0.0, 2 * (1 - 2 * (1 - scored.accuracy))))
