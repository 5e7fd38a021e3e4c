import contextlib
import functools
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipelines.errors import ArtifactError, ConfigError, DataError, TrainingError
from pipelines.main import main
from pipelines.runtime import signals
from pipelines.runtime.clock import Clock
from pipelines.runtime.exit_codes import exit_code_of
from pipelines.stages import finetune
from tests.faults.stages import AtStage
from zoo.errors import BackboneError, CorruptWeightsError, UnknownBackboneError

TINY = Path(__file__).parents[3] / "configs" / "tiny.py"
COMMAND_LINE = "import sys; from pipelines.cli import main; sys.exit(main())"


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def as_users_have_it() -> dict[str, str]:
    """The environment, without a log level and with the output in a buffer."""
    ours = ("TF_CPP_MIN_LOG_LEVEL", "PYTHONUNBUFFERED")
    return {name: value for name, value in os.environ.items() if name not in ours}


def raising(error: BaseException):
    def action() -> None:
        raise error

    return action


def test_done_is_0_and_says_nothing(capsys):
    assert exit_code_of(lambda: None, debug=False) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ConfigError, 2),
        (DataError, 3),
        (BackboneError, 4),
        (UnknownBackboneError, 4),
        (CorruptWeightsError, 4),
        (ArtifactError, 4),
        (TrainingError, 5),
        (KeyError, 1),
        (OSError, 1),
    ],
)
def test_an_error_is_one_sentence_and_its_code(kind, code, capsys):
    assert exit_code_of(raising(kind("What went wrong.")), debug=False) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("zoo: ")
    assert "What went wrong." in printed.err
    assert printed.err.count("\n") == 1
    assert exit_code_of(raising(kind("What went wrong.")), debug=True) == code
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_an_interrupt_is_130(capsys):
    assert exit_code_of(raising(KeyboardInterrupt()), debug=False) == 130
    assert capsys.readouterr().err == "zoo: interrupted\n"


def test_termination_exits_143_and_runs_cleanup(capsys):
    cleaned = []

    def action() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        except Exception:  # noqa: BLE001 - what a library does must not stop it
            cleaned.append("swallowed")
        finally:
            cleaned.append("cleaned")

    before = signal.getsignal(signal.SIGTERM)
    assert exit_code_of(action, debug=False) == 143
    assert cleaned == ["cleaned"]
    assert capsys.readouterr().err == "zoo: terminated\n"
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.fixture
def _hang_up():
    """What is done about SIGHUP is as it was, whatever a test does."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("_hang_up")
def test_a_terminal_that_is_closed_ends_in_peace(capsys):
    """Exit code 129, and all that cleans up has its turn."""
    cleaned = []

    def action() -> None:
        try:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(10)
        finally:
            cleaned.append("cleaned")

    assert exit_code_of(action, debug=False) == 129
    assert cleaned == ["cleaned"]
    assert capsys.readouterr().err == "zoo: terminated: hung up\n"
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL


@pytest.mark.usefixtures("_hang_up")
def test_nohup_is_obeyed():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    action = lambda: os.kill(os.getpid(), signal.SIGHUP)  # noqa: E731
    assert exit_code_of(action, debug=False) == 0


@pytest.mark.parametrize(
    "command", [["list"], ["list", "--json"], ["--help"], ["train", "--help"]]
)
def test_a_reader_that_went_away_is_no_error(command):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-c", COMMAND_LINE, *command],
            env=as_users_have_it(),
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert ended.stderr == b""
    assert ended.returncode == 0


def test_list_into_head():
    piped = subprocess.run(
        f"{sys.executable} -m pipelines.cli list | head -1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert piped.stderr == ""
    assert piped.stdout.startswith("name")
    assert piped.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["info", "tiny_imag"], 4, r"zoo: No backbone is called 'tiny_imag'\. Did you"),
        (
            ["train", "--config.sed=3"],
            2,
            r"zoo: There is no config\.sed\. Did you mean",
        ),
        (["lst"], 2, r"zoo: .*invalid choice: 'lst'"),
        (
            ["predict", "nowhere", "none.png"],
            3,
            r"zoo: none\.png cannot be read: No such",
        ),
        (
            ["predict", "nowhere", "here.png"],
            4,
            r"zoo: nowhere is not an artifact: it has",
        ),
    ],
)
def test_the_first_line_on_stderr_is_the_sentence(
    fresh_process, tmp_path, arguments, code, sentence
):
    (tmp_path / "here.png").write_bytes(b"image")
    ended = fresh_process(COMMAND_LINE, *arguments)
    assert ended.returncode == code
    assert ended.stdout == ""
    assert re.match(sentence, ended.stderr)
    assert "Traceback" not in ended.stderr


def test_debug_shows_where(fresh_process):
    ended = fresh_process(COMMAND_LINE, "info", "tiny_imag", "--debug")
    assert ended.returncode == 4
    assert "Traceback (most recent call last)" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("zoo: No backbone is called")


def test_failed_training_exits_5_and_leaves_unfinished_run(
    tmp_path, capsys, monkeypatch
):
    # Else it would start over at a lower rate, and succeed.
    monkeypatch.setattr(finetune, "_MAXIMUM_RETRIES", 0)
    diverging = [
        "--config.data=builtin:digits?limit=120",
        "--config.backbone=tiny_image",
        "--config.weights=none",
        "--config.strategy=full",
        "--config.batch_size=8",
        "--config.head.epochs=0",
        "--config.finetune.guard=False",
        "--config.finetune.epochs=10",
        "--config.finetune.optimizer=sgd",
        "--config.finetune.learning_rate=10",
        "--config.finetune.clip_norm=1e6",
        "--config.finetune.warmup_fraction=0",
        "--config.finetune.block_decay=1",
        f"--config.workdir={tmp_path / 'run'}",
    ]
    assert main(diverging) == 5
    message = capsys.readouterr().err
    assert re.match(
        r"zoo: The loss became (nan|inf) in epoch \d+ \(seen at its step \d+\) of phase"
        r" 'fine_tune'\. Lower the learning",
        message,
    )
    left = names_in(tmp_path / "run")
    assert "config.json" in left
    assert "report.json" not in left
    assert not (tmp_path / "run" / "artifact").exists()


def start(tmp_path: Path, *flags: str) -> subprocess.Popen:
    command = [sys.executable, "-c", COMMAND_LINE, "train", f"--config={TINY}", *flags]
    return subprocess.Popen(
        command,
        cwd=tmp_path,
        env=as_users_have_it(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.faults
def test_a_run_that_is_interrupted_is_130(tmp_path):
    process = start(tmp_path, "--config.workdir=run")
    assert process.stdout is not None
    assert "obtain" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "zoo: interrupted\n"
    assert not (tmp_path / "run" / "report.json").exists()


def swallowing(number: int):
    """An action in which a library swallows what a signal raises."""

    def action() -> None:
        with contextlib.suppress(BaseException):
            signal.raise_signal(number)

    return action


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "zoo: interrupted\n"),
        (signal.SIGTERM, 143, "zoo: terminated\n"),
    ],
)
def test_swallowed_signal_is_still_obeyed(number, code, said, capsys):
    before = signal.getsignal(number)
    assert exit_code_of(swallowing(number), debug=False) == code
    assert capsys.readouterr().err == said
    assert signal.getsignal(number) == before


def test_a_stage_does_not_begin_after_a_signal(capsys):
    clock, begun = Clock(), []

    def action() -> None:
        with clock.stage("first", "swallows"):
            swallowing(signal.SIGINT)()
            begun.append("first")
        begun.append("between")
        with clock.stage("second", "never"):
            begun.append("second")

    assert exit_code_of(action, debug=False) == 130
    assert begun == ["first"]
    assert capsys.readouterr().err == "zoo: interrupted\n"


def test_signals_are_held_back_while_others_note_them():
    seen = []

    def action() -> None:
        with signals.held_back() as held:
            signal.raise_signal(signal.SIGINT)
            seen.append(held.pending)
        seen.append("never")

    assert exit_code_of(action, debug=False) == 130
    assert seen == [signal.SIGINT]


def test_thread_is_not_ended_by_a_process_signal():
    found = []

    def action() -> None:
        swallowing(signal.SIGINT)()
        thread = threading.Thread(target=lambda: found.append(signals.obey()))
        thread.start()
        thread.join()

    assert exit_code_of(action, debug=False) == 130
    assert found == [None]


def interrupted_later(seconds: float):
    """An action after which the process gets a SIGINT; the timer is a thread's."""
    timers = []

    def action() -> None:
        interrupt = functools.partial(os.kill, os.getpid(), signal.SIGINT)
        timers.append(threading.Timer(seconds, interrupt))
        timers[0].start()

    return action, lambda: [timer.cancel() for timer in timers]


INTERRUPTS = {
    "swallowed as it begins": lambda: (swallowing(signal.SIGINT), list),
    "as it begins": lambda: interrupted_later(0.0),
    "while it is traced": lambda: interrupted_later(0.3),
    "later": lambda: interrupted_later(0.8),
}


@pytest.mark.faults
@pytest.mark.slow
# Python says so where it swallows the interrupt in a callback of a library, which is
# what the run has to end in spite of.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("when", INTERRUPTS)
def test_an_interrupt_during_export_ends_the_run(tmp_path, tiny_flags, when, capsys):
    action, finish = INTERRUPTS[when]()
    handler, logger = AtStage("export", action), logging.getLogger("zootune")
    logger.addHandler(handler)
    try:
        code = main(tiny_flags)
    finally:
        finish()
        logger.removeHandler(handler)
    assert (code, handler.done) == (130, 1)
    assert "zoo: interrupted" in capsys.readouterr().err
    assert not (tmp_path / "run" / "report.json").exists()
    assert list((tmp_path / "run" / "artifact").glob(".unpublished-*")) == []
