"""Training that was cut short anywhere ends as if it never had been."""

import dataclasses
import json
import math
import signal

import numpy as np
import pytest

from pipelines.training.checkpoint import Checkpoints
from pipelines.training.progress import Progress
from tests.faults.runs import Photographed, make_parts

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def plan(parts):
    """Its last phase keeps an average of the weights, and mixes two epochs.

    And it accumulates gradients, of labels that are smoothed, for norms alone.
    """
    head, last = parts.plan.phases
    mixed = dataclasses.replace(
        last,
        ema_decay=0.7,
        soup=2,
        accumulate_steps=3,
        label_smoothing=0.1,
        tune="norm",
    )
    return dataclasses.replace(parts.plan, phases=(head, mixed))


@pytest.fixture(scope="module")
def whole(parts, plan, tmp_path_factory):
    """A run from its beginning to its end, with a copy of every checkpoint."""
    folder = tmp_path_factory.mktemp("whole")
    checkpoints = Photographed(folder / "checkpoints")
    outcome = parts.train(folder, checkpoints, every_seconds=1e-9, plan=plan)
    return folder, checkpoints.places, outcome


def assert_same(found, wanted):
    assert len(found.variables) == len(wanted.variables) > 10
    for one, other in zip(found.variables, wanted.variables):
        assert np.array_equal(one, other)
    assert found.without_seconds() == wanted.without_seconds()
    lines = [list(map(json.loads, one.lines.splitlines())) for one in (found, wanted)]
    for line in [*lines[0], *lines[1]]:
        del line["seconds"]
    assert lines[0] == lines[1]


PLACES = {
    "in the first epoch": lambda p: p and (p["phase"], p["epoch"]) == (0, 0),
    "inside an epoch of the last phase": lambda p: p and p["phase"] == 1 and p["step"],
    "between epochs": lambda p: p and (p["phase"], p["epoch"], p["step"]) == (1, 1, 0),
    "after the last epoch of a phase": lambda p: p and p["has_ended"],
    "between phases": lambda p: p is None,
}


@pytest.mark.parametrize("where", PLACES)
def test_interrupted_training_ends_as_if_uninterrupted(
    parts, plan, whole, tmp_path, where
):
    folder, places, outcome = whole
    chosen = [number for number, place in enumerate(places) if PLACES[where](place)]
    assert chosen
    last = folder / "copies" / f"{chosen[-1]:03d}"
    resumed = parts.train(tmp_path, Checkpoints(last), every_seconds=1e9, plan=plan)
    assert_same(resumed, outcome)


def test_interrupted_cut_ends_as_if_uninterrupted(tmp_path):
    parts = make_parts(cut_after="block2")
    assert parts.plan.head.conv_blocks == 1
    checkpoints = Photographed(tmp_path / "checkpoints")
    outcome = parts.train(tmp_path, checkpoints, every_seconds=1e-9)
    for phase in (0, 1):
        inside = [
            number
            for number, place in enumerate(checkpoints.places)
            if place
            and (place["phase"], place["epoch"]) == (phase, 1)
            and place["step"]
        ]
        last = Checkpoints(tmp_path / "copies" / f"{inside[-1]:03d}")
        folder = tmp_path / f"resumed_{phase}"
        resumed = parts.train(folder, last, every_seconds=1e9)
        assert_same(resumed, outcome)


class Interrupted(Progress):
    """A person has seen enough in the third step of the second phase."""

    asked = 0

    @property
    def saves_inside_epochs(self) -> bool:
        self.asked += self.place.phase == 1
        if self.asked == 3:
            signal.raise_signal(signal.SIGINT)
        return False


def test_an_interrupt_ends_the_step_and_saves(parts, plan, whole, tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    with pytest.raises(KeyboardInterrupt):
        parts.train(
            tmp_path, checkpoints, every_seconds=1e9, plan=plan, kind=Interrupted
        )
    place = checkpoints.newest().values["place"]
    # With an odd batch size, after an even number of steps: images are mixed in pairs.
    assert (place["phase"], place["epoch"], place["step"]) == (1, 0, 4)
    saved = Checkpoints(checkpoints.folder)
    resumed = parts.train(tmp_path, saved, every_seconds=1e9, plan=plan)
    assert_same(resumed, whole[2])


def test_restarted_phase_resumes_at_its_lower_rate(parts, tmp_path):
    (last,) = parts.plan.phases[1:]
    wild = dataclasses.replace(
        last,
        optimizer="sgd",
        learning_rate=0.1,
        clip_norm=1e6,
        warmup_fraction=0.0,
        epochs=1,
    )
    plan = dataclasses.replace(parts.plan, phases=(wild,))
    checkpoints = Photographed(tmp_path / "checkpoints")
    whole = parts.train(tmp_path, checkpoints, every_seconds=1e-9, plan=plan)
    (phase,) = whole.history.phases
    attempts = [place["attempt"] for place in checkpoints.places if place]
    assert phase.learning_rate < 0.1
    last = max(attempts)
    assert last > 0
    copy = tmp_path / "copies" / f"{attempts.index(last):03d}"
    resumed = parts.train(
        tmp_path / "again", Checkpoints(copy), every_seconds=1e9, plan=plan
    )
    assert_same(resumed, whole)


def test_training_that_is_done_is_not_done_again(parts, plan, whole, tmp_path):
    folder, places, outcome = whole
    last = folder / "copies" / f"{len(places) - 1:03d}"
    resumed = parts.train(
        tmp_path,
        Checkpoints(last),
        every_seconds=1e9,
        plan=plan,
        deadline_seconds=0.0,
    )
    assert_same(resumed, outcome)


def test_interrupted_phase_is_ended_at_deadline(parts, plan, whole, tmp_path):
    folder, places, _ = whole
    inside = next(i for i, p in enumerate(places) if p and p["phase"] == 1)
    copy = folder / "copies" / f"{inside:03d}"
    resumed = parts.train(
        tmp_path,
        Checkpoints(copy),
        every_seconds=1e9,
        plan=plan,
        deadline_seconds=0.0,
    )
    _, phase = resumed.history.phases
    assert len(phase.epochs) == 1
    assert math.isfinite(phase.epochs[0]["loss"])
