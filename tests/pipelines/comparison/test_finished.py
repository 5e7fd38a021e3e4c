"""The files of a run that a comparison reads, and folders that it refuses."""

import json

import numpy as np
import pytest

from pipelines.comparison.finished import read
from pipelines.errors import ConfigError
from tests.support.finished_runs import finished

ANSWERS = [("1.jpg", "a", "a", 0.9), ("2.jpg", "a", "b", 1.0)]


def test_answers_are_those_on_test(tmp_path):
    run = read(finished(tmp_path / "run", ANSWERS))
    assert (run.answers.examples, run.answers.labels) == (
        ["1.jpg", "2.jpg"],
        ["a", "a"],
    )
    assert run.answers.right.tolist() == [True, False]
    # A probability of 0 costs what the smallest number of float32 does.
    tiny = np.finfo(np.float32).tiny
    np.testing.assert_allclose(run.answers.loss, -np.log([0.9, tiny]))


def _broken(folder, name, content):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("report.json", None, "holds no finished run"),
        ("report.json", "{", "report.json cannot be read"),
        ("report.json", '{"problem": "regression"}', "kind regression.*one class each"),
        ("config.json", "[]", "config.json holds no JSON object"),
        ("predictions.jsonl", None, "no predictions left it. Train it again"),
        ("predictions.jsonl", "{}\n", "predictions.jsonl, line 1"),
        ("predictions.jsonl", "", "no row of the test split"),
    ],
)
def test_broken_or_older_run_is_refused(tmp_path, name, content, why):
    folder = finished(tmp_path / "run", ANSWERS)
    assert json.loads((folder / "report.json").read_text())
    _broken(folder, name, content)
    with pytest.raises(ConfigError, match=why):
        read(folder)
