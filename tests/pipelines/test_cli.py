import re
import time
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.cli import main
from pipelines.commands import COMMANDS

QUICK = {
    "list": (["list"], 0),
    "list_json": (["list", "--json"], 0),
    "info": (["info", "efficientnet_lite0"], 0),
    "info_json": (["info", "tiny_image", "--json"], 0),
    "help": (["--help"], 0),
    "list_help": (["list", "--help"], 0),
    "train_help": (["train", "--help"], 0),
    "plan_help": (["plan", "--help"], 0),
    "serve_help": (["serve", "--help"], 0),
    "plan_unknown_field": (["plan", "--config.sed=3"], 2),
    "no_command": ([], 2),
    "unknown_command": (["lst"], 2),
    "unknown_option": (["list", "--modell"], 2),
    "unknown_field": (["train", "--config.sed=3"], 2),
    "unknown_backbone": (["info", "tiny_imag"], 4),
    "fetch_offline": (["fetch", "vgg16", "--offline"], 4),
    "fetch_nothing": (["fetch"], 2),
    "rank_nothing": (["rank"], 2),
    "rank_unknown": (["rank", "--data=builtin:digits", "--backbones=vg16"], 4),
    "rank_no_reference": (["rank", "--data=digits"], 3),
}


IMPORTS_NO_ENGINE = (
    "import sys\n"
    "from pipelines.cli import main\n"
    "try:\n"
    "    code = main()\n"
    "except SystemExit as ended:\n"  # argparse ends the process after its help
    "    code = ended.code\n"
    "engines = {'tensorflow', 'keras', 'sklearn', 'scipy'} & set(sys.modules)\n"
    "assert not engines, engines\n"
    "sys.exit(code)\n"
)


@pytest.mark.parametrize("name", QUICK)
def test_command_answers_within_half_a_second_without_engine(fresh_process, name):
    arguments, code = QUICK[name]
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        ended = fresh_process(IMPORTS_NO_ENGINE, *arguments)
        seconds.append(time.monotonic() - started)
        assert ended.returncode == code, ended.stderr
        if seconds[-1] < 0.5:
            return
    pytest.fail(f"zoo {' '.join(arguments)} took {min(seconds):.2f} s")


def test_the_guard_against_engines_sees_one(fresh_process):
    code = IMPORTS_NO_ENGINE.replace("import sys\n", "import sys, scipy\n", 1)
    ended = fresh_process(code, "list")
    assert ended.returncode == 1
    assert "{'scipy'}" in ended.stderr


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert {"list", "plan", "train", "serve", "doctor"} < set(COMMANDS)
    for command in COMMANDS:
        assert re.search(rf"^ +{command}( |$)", printed, re.MULTILINE)


def test_the_table_of_commands_stays_short():
    assert len(Path(cli.__file__).read_text().splitlines()) < 80
