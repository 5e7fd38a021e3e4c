"""The kinds of problems are behind one protocol, and asked for nowhere else."""

import re
from pathlib import Path

from pipelines.config.schema import CHOICES
from pipelines.data.targets.choice import kind_of
from pipelines.problems.registry import NAMES, make, trains

ROOT = Path(__file__).parents[3]
# Comparisons with the name of a kind: what a protocol replaces.
ASKED = re.compile(
    r"\bif\b[^#]*\bproblem\s*(==|!=|(not\s+)?in\b)|\bis_(multi_label|regression)\b"
)
# Parsing compares what was asked for with what the data have.
ALLOWED = {"pipelines/data/targets/", "pipelines/data/readers/"}


def test_every_kind_of_the_config_is_registered():
    assert set(NAMES) == set(CHOICES["problem"]) - {"auto"}
    assert all(kind_of(name).name == name for name in NAMES)


def test_no_module_asks_which_kind_a_problem_is():
    asking = []
    for path in sorted((ROOT / "pipelines").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if any(name.startswith(part) for part in ALLOWED):
            continue
        lines = path.read_text().splitlines()
        asking += [f"{name}: {line}" for line in lines if ASKED.search(line)]
    assert asking == []
    assert ASKED.search("if problem == 'ordinal':")


def test_problems_are_bound_to_their_labels():
    import numpy as np

    labels = {
        "single_label": np.arange(3),
        "ordinal": np.arange(3),
        "multi_label": np.eye(3, dtype=np.float32),
        "regression": np.eye(3, dtype=np.float32),
        "anomaly": np.zeros(3, np.int64),
    }
    units = {name: make(name, "abc", labels[name]).units for name in NAMES}
    assert units == {
        "single_label": 3,
        "ordinal": 2,
        "multi_label": 3,
        "regression": 3,
        "anomaly": 0,
    }
    assert [name for name in NAMES if not trains(name)] == ["anomaly"]
