"""The callbacks of a phase, and where its progress is printed."""

import dataclasses
import io
import math

import pytest

from pipelines.config import RunConfig
from pipelines.planning.policy import TrainingFacts, decide
from pipelines.training.phases.fitting import _verbosity, phase_callbacks
from pipelines.training.phases.workspace import Workspace
from pipelines.training.profiling import StepProfile


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Logger:
    """Has nothing but what a stream needs to be written to."""

    def write(self, text):
        pass

    def flush(self):
        pass


@pytest.mark.parametrize(
    ("stream", "verbosity"),
    [(None, 0), (io.StringIO(), 2), (Terminal(), 1), (Logger(), 2)],
)
def test_a_bar_is_for_a_terminal(stream, verbosity):
    assert _verbosity(stream) == verbosity


@pytest.fixture
def phase():
    facts = TrainingFacts(examples=400, classes=10, block_names=("a", "b"))
    return decide(facts, RunConfig(strategy="full")).phases[-1]


def _callbacks(phase, folder, **options):
    workspace = Workspace(folder / "history.jsonl", folder / "tensorboard", **options)
    return phase_callbacks(
        phase,
        workspace,
        to_reach=-math.inf,
        loss_to_reach=math.inf,
        metric="accuracy",
    )


def test_an_average_is_saved_before_what_validates_it(phase, tmp_path):
    plain = _callbacks(phase, tmp_path)
    assert plain.stateful == (plain.best, plain.soup, plain.lines)
    averaged = dataclasses.replace(phase, ema_decay=0.9)
    average, *others = _callbacks(averaged, tmp_path).stateful
    assert "Average" in type(average).__name__
    assert len(others) == 3


def test_profile_has_callback_seconds_only_where_timed(phase, tmp_path):
    numbers = {field.name: 1 for field in dataclasses.fields(StepProfile)}
    profile = StepProfile(**numbers)
    assert _callbacks(phase, tmp_path).with_callbacks(profile) is profile
    timed = _callbacks(phase, tmp_path, profile=True)
    assert timed.with_callbacks(profile).callbacks == timed.timed.median == 0
    assert timed.with_callbacks(None) is None
