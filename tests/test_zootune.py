"""The package `zootune`: the public API in one place, and no TensorFlow for it."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pipelines
import zoo
import zootune

ROOT = Path(__file__).parents[1]
PROMISED = {
    *("fine_tune", "load", "rank", "tune", "publish"),
    *("list_backbones", "get_spec", "build", "register"),
    *("ConfigError", "DataError", "BackboneError", "ArtifactError", "TrainingError"),
    "__version__",
}


def ended(code: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        # As after an installation: the packages lie behind the current folder.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["", str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_everything_promised_is_there_and_documented():
    assert set(zootune.__all__) >= PROMISED
    for name in zootune.__all__:
        value = getattr(zootune, name)
        assert name == "__version__" or value.__doc__, name
    with pytest.raises(AttributeError, match="'zootune' has no attribute 'biuld'"):
        _ = zootune.biuld


def test_names_are_those_of_the_packages():
    assert zootune.fine_tune is pipelines.fine_tune
    assert zootune.build is zoo.build
    assert zootune.__version__ == importlib.metadata.version("zootune")


def test_import_brings_no_tensorflow(tmp_path):
    code = (
        "import sys, zootune; zootune.get_spec('vgg16'); zootune.list_backbones();"
        "print({'tensorflow', 'keras', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    process = ended(code, tmp_path)
    assert process.stdout == "set()\n", process.stderr


@pytest.mark.parametrize("name", ["zoo", "pipelines"])
def test_stranger_of_same_name_is_refused_not_run(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("open('ran', 'w').close()\n")
    process = ended("import zootune", tmp_path)
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: The package '{name}' of {tmp_path} is not")
    assert "Rename it" in last
    assert not (tmp_path / "ran").exists()


def test_a_folder_without_a_package_is_no_obstacle(tmp_path):
    for name in ("zoo", "pipelines", "zootune"):
        (tmp_path / name).mkdir()
    process = ended("import zootune; print(zootune.__version__)", tmp_path)
    assert process.stdout == f"{zootune.__version__}\n", process.stderr


def test_the_command_minds_no_folder_called_zootune(tmp_path):
    (tmp_path / "zootune").mkdir()
    (tmp_path / "zootune" / "__init__.py").write_text("open('ran', 'w').close()\n")
    code = "import sys; sys.argv[1:] = ['list', 'tiny_image'];"
    code += "from zootune_command import main; sys.exit(main())"
    process = ended(code, tmp_path)
    assert process.returncode == 0, process.stderr
    assert "tiny_image" in process.stdout
    assert not (tmp_path / "ran").exists()
