"""Labels spread to near examples, and to nothing that no label reaches."""

import numpy as np
import scipy.sparse as sparse

from pipelines.methods.unlabelled.propagation import (
    certainty,
    neighbours,
    propagate,
)
from tests.pipelines.methods.unlabelled.blobs import CLASSES, clusters


def test_graph_is_symmetric_and_joins_near_examples():
    features, own = clusters(90)
    graph = neighbours(features)
    assert abs(graph - graph.T).max() == 0
    assert graph.diagonal().max() == 0
    rows, columns = graph.nonzero()
    assert np.mean(own[rows] == own[columns]) > 0.9
    assert graph.data.min() > 0
    assert graph.data.max() <= 1


def test_identical_examples_have_a_graph():
    graph = neighbours(np.zeros((12, 3), np.float32))
    assert np.isfinite(graph.data).all()
    shares = propagate(graph, np.array([0, 1]), np.array([0, 1]), classes=2)
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_shares_solve_the_system_of_the_paper():
    features, own = clusters(40)
    graph = neighbours(features)
    known = np.array([0, 1, 2, 3])
    shares = propagate(graph, known, own[known], classes=CLASSES)
    weights = graph.toarray()
    scale = 1 / np.sqrt(weights.sum(axis=1))
    system = np.eye(40) - 0.95 * scale[:, None] * weights * scale
    begin = np.zeros((40, CLASSES))
    begin[known, own[known]] = 1
    spread = np.linalg.solve(system, begin)
    spread /= spread.sum(axis=0)
    expected = spread / spread.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, expected, atol=1e-4)


def test_one_label_of_each_cluster_reaches_the_others():
    features, own = clusters(240)
    known = np.arange(CLASSES)
    shares = propagate(neighbours(features), known, own[known], classes=CLASSES)
    assert np.mean(shares.argmax(axis=1) == own) > 0.9


def test_examples_without_any_label_share_all_classes():
    graph = sparse.csr_matrix(np.kron(np.eye(2), 1 - np.eye(3)))
    shares = propagate(graph, np.array([0, 1]), np.array([0, 1]), classes=2)
    np.testing.assert_allclose(shares[3:], 0.5)
    assert certainty(shares)[3:].max() == 0
    assert certainty(np.array([[1.0, 0.0]]))[0] == 1
