"""Distributions of others add rows, and a broken one breaks nothing but itself."""

import json
import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import zoo

ROWS = len(zoo.list_backbones())
MANY = 160

GOOD = """
    import dataclasses
    import zoo

    TINY = zoo.get_spec("tiny_image")
    RENAMED = dataclasses.replace(TINY, name="acme_renamed")

    def network(spec, pixels, weights_file):
        import keras
        assert weights_file is None
        return keras.layers.Conv2D(spec.feature_width, 3, 2, name="conv")(pixels)

    def rows():
        own = dataclasses.replace(
            TINY, name="acme_own", source="acme", feature_width=5, parameters=140,
            blocks=(zoo.Boundary("all", "output"),),
        )
        yield RENAMED
        yield own, network

    def many():
        for number in range(MANY):
            yield dataclasses.replace(TINY, name=f"acme_{number}")

    def taken():
        return [dataclasses.replace(TINY, name="acme_first"), TINY]

    def no_loader():
        return [dataclasses.replace(TINY, name="acme_own", source="acme")]

    def bad_row():
        return [dataclasses.replace(TINY, name="acme_bad", license="")]

    def no_list():
        return 3

    def no_row():
        return ["acme"]

    NUMBER = 3
"""


@pytest.fixture
def install(tmp_path):
    """Puts a distribution beside the installed ones; gives what runs code with it."""

    def installed(*entry_points, module=GOOD):
        code = textwrap.dedent(module).replace("MANY", str(MANY))
        (tmp_path / "acme_backbones.py").write_text(code)
        info = tmp_path / "acme_backbones-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: acme-backbones\nVersion: 1.0\n"
        )
        lines = "\n".join(entry_points)
        (info / "entry_points.txt").write_text(f"[zoo.backbones]\n{lines}\n")

        def run(code, *arguments):
            return subprocess.run(
                [sys.executable, "-c", code, *arguments],
                env={
                    **os.environ,
                    "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}",
                },
                capture_output=True,
                text=True,
                check=False,
            )

        return run

    return installed


CLI = "import sys; from pipelines.cli import main; sys.exit(main(sys.argv[1:]))"


def _listed(ended):
    assert ended.returncode == 0, ended.stderr
    return [row["name"] for row in json.loads(ended.stdout)["backbones"]]


def test_specs_and_functions_of_specs_are_listed(install):
    run = install("one = acme_backbones:RENAMED", "two = acme_backbones:many")
    ended = run(CLI, "list", "--json")
    names = _listed(ended)
    assert len(names) == ROWS + 1 + MANY
    assert "acme_renamed" in names
    assert names[-MANY:] == [f"acme_{number}" for number in range(MANY)]
    assert ended.stderr == ""


@pytest.mark.slow
def test_rows_of_any_source_are_built(install):
    run = install("acme = acme_backbones:rows")
    ended = run(
        "import zoo\n"
        "for name in ('acme_renamed', 'acme_own'):\n"
        "    built = zoo.build(name, weights=None)\n"
        "    assert built.model.count_params() == built.spec.parameters\n"
        "    print(name, built.model.output_shape, len(built.blocks))\n"
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        "acme_renamed (None, 8, 8, 32) 4",
        "acme_own (None, 15, 15, 5) 1",
    ]


@pytest.mark.parametrize(
    ("entry_point", "problem"),
    [
        ("acme_backbones:absent", "AttributeError: .*absent"),
        ("acme_missing:rows", "ModuleNotFoundError: No module named 'acme_missing'"),
        ("acme_backbones:taken", "BackboneError: A backbone called 'tiny_image' is"),
        ("acme_backbones:no_loader", "Nothing builds the source 'acme' of the row"),
        ("acme_backbones:bad_row", "The row 'acme_bad' needs a licence, an SPDX"),
        ("acme_backbones:no_list", "Its function gives 3; expected a list"),
        ("acme_backbones:no_row", "It gives 'acme'; expected a BackboneSpec, or a p"),
        ("acme_backbones:NUMBER", "Its entry point is 3; expected a BackboneSpec"),
    ],
)
def test_broken_plugin_is_named_once(install, entry_point, problem):
    run = install(f"acme = {entry_point}", "fine = acme_backbones:RENAMED")
    ended = run(
        "import re, sys, zoo\n"
        "zoo.list_backbones()\n"
        "assert zoo.list_backbones()[-1] == 'acme_renamed'\n"
        f"assert len(zoo.list_backbones()) == {ROWS} + 1\n"
        "try:\n"
        "    zoo.get_spec('acme_first')\n"
        "except zoo.registry.UnknownBackboneError as error:\n"
        "    print(error)\n"
    )
    assert ended.returncode == 0, ended.stderr
    (sentence,) = ended.stderr.splitlines()
    assert sentence.startswith("zoo: The plug-in 'acme' cannot be used, so its backb")
    assert sentence.endswith("Update it, or: pip uninstall acme-backbones")
    assert re.search(problem, sentence)
    assert "No backbone is called 'acme_first'" in ended.stdout
    assert sentence.removeprefix("zoo: ") in ended.stdout


def test_syntax_error_does_not_break_the_list(install):
    run = install("acme = acme_backbones:rows", module="def rows(:\n")
    ended = run(CLI, "list", "--json")
    assert len(_listed(ended)) == ROWS
    assert "'acme' cannot be used" in ended.stderr
    assert "SyntaxError" in ended.stderr
    asked = run(CLI, "info", "acme")
    assert asked.returncode == 4
    assert "No backbone is called 'acme'" in asked.stderr


@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "--json"], ["--help"], ["info", "acme_7"]]
)
def test_200_rows_are_listed_in_half_a_second(install, arguments):
    run = install("many = acme_backbones:many")
    code = (
        "import sys\n"
        "from pipelines.cli import main\n"
        "try:\n"
        "    code = main(sys.argv[1:])\n"
        "except SystemExit as ended:\n"
        "    code = ended.code\n"
        "import zoo\n"
        f"assert len(zoo.list_backbones()) == {ROWS + MANY} >= 200\n"
        "engines = {'tensorflow', 'keras', 'sklearn', 'scipy'} & set(sys.modules)\n"
        "sys.exit(str(engines) if engines else code)\n"
    )
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        ended = run(code, *arguments)
        seconds.append(time.monotonic() - started)
        assert ended.returncode == 0, ended.stderr
        if seconds[-1] < 0.5:
            return
    pytest.fail(f"zoo {' '.join(arguments)} took {min(seconds):.2f} s")
