"""Errors to exit codes: one clear sentence on stderr, no traceback unless asked for."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable

from pipelines import streams
from pipelines.data.printable import lines_shown
from pipelines.errors import ArtifactError, ConfigError, DataError, TrainingError
from pipelines.training import signals
from zoo.errors import BackboneError
from zoo.home import name_keras_folder

DONE = 0
UNEXPECTED = 1
INTERRUPTED = 130
TERMINATED = 143
_CODES = {
    ConfigError: 2,
    DataError: 3,
    BackboneError: 4,
    ArtifactError: 4,
    TrainingError: 5,
}


def exit_code_of(action: Callable[[], None], *, debug: bool) -> int:
    """Runs a command and gives its exit code.

    SIGTERM ends it as an interrupt does, so that temporary files are removed. Where
    either was swallowed on the way, the code is that of a signal all the same. An error
    that nobody expected is 1: not the user's doing, or not known to be.
    """
    streams.open_closed()
    name_keras_folder()
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        try:
            with signals.noted():
                action()
        finally:
            # What a pipe refuses is known here, not when Python flushes at its exit.
            sys.stdout.flush()
    except tuple(_CODES) as error:
        if debug:
            traceback.print_exc()
        _say(str(error))
        return next(code for kind, code in _CODES.items() if isinstance(error, kind))
    except KeyboardInterrupt:
        print("zoo: interrupted", file=sys.stderr)
        return INTERRUPTED
    except _Terminated:
        print("zoo: terminated", file=sys.stderr)
        return TERMINATED
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
        signal.signal(signal.SIGTERM, before)
    return DONE


def _say(sentence: str) -> None:
    # It may have names of files in it, and those may have what moves a cursor.
    print(f"zoo: {lines_shown(sentence)}", file=sys.stderr)


class _Terminated(BaseException):
    """No `Exception`, as `KeyboardInterrupt` is none: nothing on the way catches it."""


def _terminate(_signal: int, _frame: object) -> None:
    raise _Terminated
