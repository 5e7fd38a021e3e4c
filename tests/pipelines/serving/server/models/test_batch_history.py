"""Costs of calls, and clients that come back, as a queue learns them."""

import math

import pytest

from pipelines.serving.server.models.batch_history import CallCost, ReturningClients


@pytest.mark.parametrize(("call", "row"), [(0.05, 0.001), (0.001, 0.05)])
def test_rows_per_call_follow_from_a_line(call, row):
    cost = CallCost()
    for rows in (1, 8, 2, 4, 16, 3):
        cost.note(rows, call + rows * row)
    assert cost.rows_per_call == pytest.approx(call / row, rel=1e-6)


def test_rows_per_call_are_infinite_while_unknown():
    cost = CallCost()
    assert math.isinf(cost.rows_per_call)
    for _ in range(5):  # of one size: nothing shows what a row costs
        cost.note(4, 0.1)
    assert math.isinf(cost.rows_per_call)


def test_clients_who_pause_are_tried_again_rarely():
    clients = ReturningClients()
    assert clients.grant()
    for _ in range(8):
        clients.note(filled=False)
    assert [clients.grant() for _ in range(34)].count(True) == 2
    for _ in range(8):
        clients.note(filled=True)
    assert all(clients.grant() for _ in range(10))
