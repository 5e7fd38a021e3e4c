import logging
import time

import pytest

from pipelines.runtime.clock import Clock, Ticker


def test_a_stage_is_announced_and_timed(caplog):
    clock = Clock()
    with caplog.at_level(logging.INFO, "zootune"), clock.stage("data", "dir:photos"):
        time.sleep(0.02)
    assert "data: dir:photos" in caplog.text
    assert list(clock.seconds) == ["data"]
    assert 0.02 <= clock.seconds["data"] <= clock.total_seconds < 5


def test_a_stage_that_fails_has_no_time():
    clock = Clock()
    with pytest.raises(KeyError), clock.stage("data", "dir:photos"):
        raise KeyError
    assert clock.seconds == {}


def test_progress_is_said_every_few_seconds_only(caplog, monkeypatch):
    clock = Clock()
    with caplog.at_level(logging.INFO, "zootune"):
        clock.progress(1, 100)
        assert caplog.text == ""
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 6)
        clock.progress(50, 100)
        clock.progress(51, 100)
    assert [record.getMessage().split("  ")[-1] for record in caplog.records] == [
        " 50 of 100"
    ]


def test_a_ticker_says_what_it_is_at(caplog, monkeypatch):
    tick = Ticker("outputs of test", 100)
    with caplog.at_level(logging.INFO, "zootune"):
        tick(1)
        assert caplog.text == ""
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 6)
        tick(50)
        tick(51)
    assert [one.getMessage() for one in caplog.records] == [
        "  outputs of test: 50 of 100"
    ]


def test_deadline_follows_the_budget_and_zero_never_ends():
    clock = Clock()
    assert 59 < clock.deadline(60) - time.monotonic() <= 60
    assert clock.deadline(0) == float("inf")
