"""The page warns of a server that is older than the graph."""

import pytest
import yaml

from pipelines.cli import main
from pipelines.serving.deploy.readme import is_older


def test_server_older_than_graph_gives_warning(base, tmp_path, capsys):
    command = ["deploy", str(base), "--to", str(tmp_path / "d")]
    assert main([*command, "--serving-version", "2.9.1"]) == 0
    assert "is older and may refuse it" in capsys.readouterr().out
    assert "**Check this first.**" in (tmp_path / "d/README.md").read_text()
    compose = yaml.safe_load((tmp_path / "d/docker/compose.yaml").read_text())
    assert compose["services"]["serving"]["image"] == "tensorflow/serving:2.9.1"


@pytest.mark.parametrize(
    ("server", "graph", "expected"),
    [
        ("2.21.0", "2.21.3", False),
        ("2.9.0", "2.21.0", True),
        ("2.22.0", "2.21.0", False),
        ("2.21.0", "", False),
    ],
)
def test_versions_are_compared_as_numbers(server, graph, expected):
    assert is_older(server, graph) is expected
