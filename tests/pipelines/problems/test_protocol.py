"""Every kind answers every question of the protocol, on the same few features."""

import numpy as np
import pytest

from pipelines.problems.protocol import Problem, with_problem
from pipelines.problems.registry import NAMES, make, trains

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(80, 6)).astype(np.float32)
NOISY = FEATURES[:, :3] + RNG.normal(size=(80, 3)) * 0.3
LABELS = {
    "single_label": NOISY.argmax(axis=1),
    "ordinal": np.digitize(NOISY[:, 0], [-0.5, 0.5]),
    "multi_label": (NOISY > 0.3).astype(np.float32),
    "regression": (NOISY * [1, 10, 100]).astype(np.float32),
}
QUESTIONS = [
    name
    for name in (*vars(Problem), *Problem.__annotations__)
    if not name.startswith("_")
]


# Of the others nothing trains, which has tests of its own.
TRAINED = [name for name in NAMES if trains(name)]


@pytest.fixture(params=TRAINED)
def problem(request):
    return make(request.param, ("1", "2", "3"), LABELS[request.param])


def test_every_question_has_an_answer(problem):
    assert len(QUESTIONS) > 25
    assert [name for name in QUESTIONS if not hasattr(problem, name)] == []


def test_a_probe_starts_the_head_near_its_score(problem):
    labels = LABELS[problem.name]
    scored = problem.score([FEATURES], labels, groups=None, reads=("b",), grid=1)
    assert scored.accuracy > problem.floor(labels) + 0.3
    assert scored.standard_error < 0.15
    probe = problem.linear_probe([FEATURES], labels, scored)
    outputs = probe.standardization([FEATURES]) @ probe.kernel + probe.bias
    assert outputs.shape == (80, problem.units)
    for layer in problem.output_layers(probe):
        outputs = np.asarray(layer(outputs))
    judged = problem.judge(outputs, labels)
    assert judged.quality.shape == judged.log_p.shape == (80,)
    kept = outputs if problem.needs_outputs else None
    reached = problem.reached(kept, labels, float(judged.quality.mean()))
    assert reached > scored.accuracy - 0.1
    assert judged.quality.mean() > problem.least_quality(labels)
    # The loss of training is the one that the guard weighs.
    loss = float(problem.loss(soft=False)(labels, outputs))
    assert loss == pytest.approx(-judged.log_p.mean(), rel=1e-3)
    (metric,) = problem.epoch_metrics()
    if not isinstance(metric, str):
        metric.update_state(labels, outputs)
        assert float(metric.result()) == pytest.approx(reached, abs=0.08)


def test_labels_that_are_not_finite_outputs_are_worst(problem):
    labels = LABELS[problem.name]
    broken = np.full((80, 3), np.nan, np.float32)
    judged = problem.judge(broken, labels)
    assert not judged.log_p.mean() > -1e9 or np.isnan(judged.log_p).all()


def test_strata_have_a_code_for_each_example(problem):
    assert problem.strata(LABELS[problem.name]).shape == (80,)


def test_a_manifest_names_the_kind_of_its_calibration():
    fields = {"temperature": 1.0, "calibration": {"reason": "few"}}
    assert with_problem(fields, "ordinal") == {
        "temperature": 1.0,
        "calibration": {"problem": "ordinal", "reason": "few"},
    }
