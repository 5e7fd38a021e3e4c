"""Without TensorFlow, or with another backend, one sentence says what to do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Hides TensorFlow as if it were not installed.
HIDE = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == "tensorflow" else find(name)
sys.modules["tensorflow"] = None
"""
CALLS = {
    "build": "import zoo; zoo.build('tiny_image', weights=None)",
    "fine_tune": (
        "import pipelines; pipelines.fine_tune('builtin:digits', workdir='unused')"
    ),
    "load": "import pipelines; pipelines.load('unused')",
}


def _error(program: str, **environment: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stderr.strip().splitlines()[-1] if ended.returncode else ""


@pytest.mark.parametrize("call", CALLS)
def test_missing_tensorflow_is_one_sentence(call):
    last = _error(HIDE + CALLS[call])
    assert "BackboneError: TensorFlow is not installed: pip install" in last
    assert "zootune[cpu]" in last
    assert "zootune[gpu]" in last


def test_another_backend_is_refused_by_name():
    assert "KERAS_BACKEND is 'jax'" in _error(CALLS["build"], KERAS_BACKEND="jax")
    assert _error(CALLS["build"], KERAS_BACKEND="tensorflow") == ""


def test_listing_needs_no_tensorflow():
    assert _error(HIDE + "import zoo; assert len(zoo.list_backbones()) >= 44") == ""


def test_command_line_has_its_exit_code():
    program = HIDE + "from pipelines.cli import main; sys.exit(main(['predict'] + "
    ended = subprocess.run(
        [sys.executable, "-c", program + f"['artifact', {__file__!r}]))"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 4
    assert ended.stderr.startswith("zoo: TensorFlow is not installed")


def settings(folder: Path, **values: object) -> dict[str, str]:
    """The environment of a user whose other project wrote a file for Keras."""
    (folder / "keras.json").write_text(json.dumps(values))
    return {"KERAS_HOME": str(folder), "KERAS_BACKEND": ""}


def test_other_backend_in_a_file_is_refused(tmp_path):
    last = _error(CALLS["load"], **settings(tmp_path, backend="torch"))
    assert f"{tmp_path / 'keras.json'} gives Keras the backend 'torch'" in last
    assert "Set KERAS_BACKEND=tensorflow" in last
    # What Keras has loaded counts, and not what it would.
    assert "is not an artifact" in _error(
        CALLS["load"],
        **settings(tmp_path, backend="torch") | {"KERAS_BACKEND": "tensorflow"},
    )


@pytest.mark.parametrize(
    "values", [{"floatx": "float8"}, {"nnx_enabled": True}, {"epsilon": "small"}]
)
def test_unusable_keras_file_is_named(tmp_path, values):
    last = _error(CALLS["build"], **settings(tmp_path, **values))
    assert last.startswith("zoo.errors.BackboneError: Keras does not start (")
    assert f"reads its settings from {tmp_path / 'keras.json'}" in last


def test_a_command_sets_such_a_file_aside(tmp_path):
    program = (
        "from pipelines.runtime.startup import start_tensorflow; start_tensorflow();"
        " import keras; c = keras.config; said = keras.backend.backend(), c.floatx(),"
        " c.image_data_format(); assert said == ('tensorflow', 'float32',"
        " 'channels_last'), said"
    )
    others = {"backend": "torch", "floatx": "float16"}
    others["image_data_format"] = "channels_first"
    assert _error(program, **settings(tmp_path, **others)) == ""
