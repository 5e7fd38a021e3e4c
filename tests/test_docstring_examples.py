"""The examples in docstrings run, and print what stands below them."""

import doctest
import functools
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("zoo", "pipelines", "zootune")
# Leaves the run that other examples load.
TRAINS = "pipelines.fine_tune"
CALLED_BY_USERS = {
    TRAINS,
    "pipelines.load",
    "pipelines.config.flags.parse",
    "pipelines.config.schema.differences",
    "pipelines.config.schema.from_fields",
    "pipelines.config.validate.checked",
    "pipelines.data.reference.DatasetRef.parse",
    "pipelines.serving.predictor.Predictor.predict",
    "zoo.builder.build",
    "zoo.registry.get_spec",
    "zoo.registry.list_backbones",
    "zoo.registry.register",
    "zootune",
}


def modules_with_examples() -> list[str]:
    """Modules whose text has an example; no other one is imported for it."""
    names = []
    for path in sorted(
        path for name in PACKAGES for path in (ROOT / name).rglob("*.py")
    ):
        if ">>> " in path.read_text():
            parts = path.relative_to(ROOT).with_suffix("").parts
            names.append(".".join(parts).removesuffix(".__init__"))
    return names


@functools.cache
def examples() -> dict[str, doctest.DocTest]:
    """Every docstring with an example, by its dotted name."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = [
        test
        for name in modules_with_examples()
        for test in finder.find(importlib.import_module(name), name)
        if test.examples
    ]
    return {test.name: test for test in tests}


class ShownOutput(doctest.OutputChecker):
    """Compares the output that a docstring shows; training prints its progress, too."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return not want or super().check_output(want, got, optionflags)


@functools.cache
def report(name: str) -> str:
    """The failures of one docstring, run once; empty if there are none."""
    lines: list[str] = []
    runner = doctest.DocTestRunner(ShownOutput())
    runner.run(examples()[name], out=lines.append, clear_globs=False)
    return "".join(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("examples")


@pytest.mark.parametrize("module", modules_with_examples())
def test_examples_run_as_they_stand(module, folder, monkeypatch):
    monkeypatch.chdir(folder)
    names = [
        name for name in examples() if examples()[name].globs["__name__"] == module
    ]
    assert names
    for name in names:
        if "runs/digits" in (examples()[name].docstring or ""):
            assert report(TRAINS) == ""
        assert report(name) == ""


def test_examples_show_functions_that_users_call():
    assert set(examples()) >= CALLED_BY_USERS
    assert len(CALLED_BY_USERS) >= 10
