"""Labels spread over a graph of neighbours, from a few examples to all others."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import cg
from sklearn.neighbors import NearestNeighbors

_NEIGHBOURS = 10
# How much of a label comes from neighbours, and not from the example's own.
_SPREAD = 0.95
_TINY = 1e-12


def neighbours(reduced: np.ndarray) -> sparse.csr_matrix:
    """The weights between near examples, symmetric `[n, n]`, 0 for the others.

    `exp(-d^2 / (s_i s_j))` for the ten nearest, where `s` is the distance to the tenth:
    dense and thin regions count alike (Zelnik-Manor and Perona, 2004).
    """
    count = min(_NEIGHBOURS, len(reduced) - 1)
    search = NearestNeighbors(n_neighbors=count + 1).fit(reduced)
    distances, places = (array[:, 1:] for array in search.kneighbors(reduced))
    local = distances[:, -1]
    weights = np.exp(-(distances**2) / (local[:, None] * local[places] + _TINY))
    rows = np.repeat(np.arange(len(reduced)), count)
    shape = (len(reduced), len(reduced))
    graph = sparse.csr_matrix((weights.ravel(), (rows, places.ravel())), shape)
    return graph.maximum(graph.T).tocsr()


def propagate(
    graph: sparse.csr_matrix, known: np.ndarray, labels: np.ndarray, *, classes: int
) -> np.ndarray:
    """The share of each class for every example of a graph, `[n, classes]`.

    From the `labels` of the examples `known`: F = (1 - a)(1 - a S)^-1 Y with
    S = D^-1/2 W D^-1/2 (Zhou et al., "Learning with Local and Global Consistency",
    2004). Classes count the same, whatever their number of labels. An example that no
    label reaches has the same share of all.
    """
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    scale = sparse.diags(1 / np.sqrt(np.maximum(degrees, _TINY)))
    system = sparse.identity(len(degrees)) - _SPREAD * (scale @ graph @ scale)
    spread = np.zeros((len(degrees), classes))
    for label in range(classes):
        begin = np.zeros(len(degrees))
        own = known[labels == label]
        begin[own] = 1 / max(len(own), 1)
        found, _ = cg(system, begin, rtol=1e-6, maxiter=500)
        found = np.maximum(found, 0)
        spread[:, label] = found / max(found.sum(), _TINY)
    total = spread.sum(axis=1, keepdims=True)
    return np.where(total > _TINY, spread / np.maximum(total, _TINY), 1 / classes)


def certainty(shares: np.ndarray) -> np.ndarray:
    """How sure shares `[n, classes]` are: 0 for the same of all, 1 for one alone."""
    entropy = -(shares * np.log(np.maximum(shares, _TINY))).sum(axis=1)
    return np.clip(1 - entropy / np.log(shares.shape[1]), 0, 1)
