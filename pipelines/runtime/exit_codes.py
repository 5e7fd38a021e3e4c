"""Errors to exit codes: one clear sentence on stderr, no traceback unless asked for."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from pipelines.display.text import lines_shown
from pipelines.errors import ArtifactError, ConfigError, DataError, TrainingError
from pipelines.runtime import signals, standard_streams
from zoo.errors import BackboneError
from zoo.storage.home import name_keras_folder

DONE = 0
UNEXPECTED = 1
HUNG_UP = 129
INTERRUPTED = 130
TERMINATED = 143
CODES = {
    ConfigError: 2,
    DataError: 3,
    BackboneError: 4,
    ArtifactError: 4,
    TrainingError: 5,
}


def exit_code_of(action: Callable[[], None], *, debug: bool) -> int:
    """Runs a command and gives its exit code.

    SIGTERM, and SIGHUP of a terminal that is closed, end it as an interrupt does, so
    that temporary files are removed and a run is saved. Where one was swallowed on the
    way, the code is the signal's all the same. An error that nobody expected is 1:
    not the user's doing, or not known to be.
    """
    standard_streams.open_closed()
    name_keras_folder()
    before = _listen()
    try:
        try:
            with signals.noted():
                action()
        finally:
            # What a pipe refuses is known here, not when Python flushes at its exit.
            sys.stdout.flush()
    except tuple(CODES) as error:
        if debug:
            traceback.print_exc()
        _say(str(error))
        return next(code for kind, code in CODES.items() if isinstance(error, kind))
    except KeyboardInterrupt:
        print("zoo: interrupted", file=sys.stderr)
        return INTERRUPTED
    except _Terminated as ended:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(f"zoo: {ended}", file=sys.stderr)
        return ended.code
    except BrokenPipeError:
        # The reader has seen enough, as in `zoo list | head`. Python would complain
        # again when it flushes at exit, so what is left goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # noqa: BLE001 - the last place to say it in a sentence
        if debug:
            traceback.print_exc()
        hint = "" if debug else " --debug shows where."
        _say(f"{type(error).__name__}: {error}{hint}")
        return UNEXPECTED
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return DONE


def _listen() -> dict[int, Any]:
    """Has signals raise that end a process; gives what was there to be done before."""
    before: dict[int, Any] = {signal.SIGTERM: signal.signal(signal.SIGTERM, _terminate)}
    # Windows has none; `nohup` has it ignored, and means that.
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is not None and signal.getsignal(hang_up) == signal.SIG_DFL:
        before[hang_up] = signal.signal(hang_up, _terminate)
    return before


def _say(sentence: str) -> None:
    # It may have names of files in it, and those may have what moves a cursor.
    print(f"zoo: {lines_shown(sentence)}", file=sys.stderr)


class _Terminated(BaseException):
    """Like `KeyboardInterrupt` not an `Exception`: nothing on the way catches it."""

    def __init__(self, number: int) -> None:
        is_term = number == signal.SIGTERM
        super().__init__("terminated" if is_term else "terminated: hung up")
        self.code = TERMINATED if is_term else HUNG_UP


def _terminate(number: int, _frame: object) -> None:
    raise _Terminated(number)
