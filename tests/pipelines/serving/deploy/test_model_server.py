"""The command line of the server and its script of readiness."""

import subprocess

from tests.pipelines.serving.deploy.conftest import (
    READY,
)


def test_script_of_readiness_is_bash(documents):
    compose = documents["docker/compose.yaml"]
    kind, shell, *script = compose["services"]["serving"]["healthcheck"]["test"]
    assert (kind, shell, script[0]) == ("CMD", "bash", "-c")
    assert "$$" in script[1]
    plain = script[1].replace("$$", "$")
    subprocess.run(["bash", "-n", "-c", plain], check=True)
    assert READY in plain
