"""A run beside a run or an artifact, on the test examples that they share."""

import pytest

from pipelines.comparison import finished as finished_runs
from pipelines.errors import ConfigError
from pipelines.gate.not_worse import compare, opened, require_comparable
from tests.support.finished_runs import finished

# 600 right answers, and 600 with 30 wrong ones.
RIGHT = [(f"{i}.jpg", "ab"[i % 2], "ab"[i % 2], 0.9) for i in range(600)]
WORSE = [(*row[:2], "x", 0.9) if i % 20 == 0 else row for i, row in enumerate(RIGHT)]


def test_run_is_compared_on_shared_examples(tmp_path):
    right = finished(tmp_path / "right", RIGHT)
    worse = finished(tmp_path / "worse", WORSE[100:])
    row = compare(
        finished_runs.read(worse), opened(right), data="dir:photos", margin=0.02
    )
    assert (row.examples, row.only_reference, row.only_model) == (500, 25, 0)
    assert row.difference == -0.05
    assert not row.passed
    back = compare(
        finished_runs.read(right), opened(worse), data="dir:photos", margin=0.02
    )
    assert back.passed
    assert back.difference == 0.05


@pytest.mark.slow
def test_artifact_is_asked_about_the_test_split(finished_run):
    run = finished_runs.read(finished_run)
    reference = opened(finished_run / "artifact")
    row = compare(run, reference, data=run.config["data"], margin=0.2)
    # The same model: no answer differs.
    assert (row.examples, row.only_reference, row.only_model) == (20, 0, 0)
    require_comparable(reference, problem="single_label", class_names="0123456789")
    with pytest.raises(ConfigError, match=r"whose classes are 0, 1.*this model has a"):
        require_comparable(reference, problem="single_label", class_names=["a"])


def test_other_references_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="leave it out for the first model"):
        opened(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="cannot be compared with: .*not an artifact"):
        opened(tmp_path)
    run = opened(finished(tmp_path / "run", RIGHT))
    with pytest.raises(ConfigError, match="the problem is regression. Use config.exp"):
        require_comparable(run, problem="regression", class_names=())
