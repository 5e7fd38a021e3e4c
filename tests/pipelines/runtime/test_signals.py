"""Signals wait for the end of a step, and are not lost."""

import signal
import threading

import pytest

from pipelines.runtime.signals import held_back


@pytest.fixture(autouse=True)
def came():
    """Signals that were not held back, by number, in place of the end of the tests."""
    seen = []
    before = {
        number: signal.signal(number, lambda n, _: seen.append(n))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    yield seen
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_held_signal_is_noted_and_works_when_released(came, number):
    with held_back() as signals:
        signal.raise_signal(number)
        assert (signals.pending, came) == (number, [])
        signals.let_go_if_pending()
        assert (signals.pending, came) == (None, [number])
    assert came == [number]


def test_signal_never_released_comes_at_the_end(came):
    with held_back():
        signal.raise_signal(signal.SIGTERM)
    assert came == [signal.SIGTERM]


def test_a_second_signal_does_not_wait(came):
    with held_back() as signals:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert (signals.pending, came) == (None, [signal.SIGTERM])


def test_without_a_signal_all_is_as_before(came):
    with held_back() as signals:
        signals.let_go_if_pending()
        assert signal.getsignal(signal.SIGINT).__name__ == "_receive"
    assert signal.getsignal(signal.SIGINT).__name__ == "<lambda>"
    assert came == []


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with held_back() as signals:
        signal.raise_signal(signal.SIGINT)
        assert signals.pending is None


def test_held_back_in_thread_works_without_signals(came):
    found = []

    def train():
        with held_back() as signals:
            found.append(signals.pending)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert found == [None]


def test_what_nohup_has_ignored_stays_ignored(came):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with held_back() as signals:
        signal.raise_signal(signal.SIGHUP)
        assert signals.pending is None
    assert came == []
