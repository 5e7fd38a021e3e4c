"""Errors to exit codes: one clear sentence on stderr, no traceback unless asked for."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable

from pipelines.errors import ArtifactError, ConfigError, DataError, TrainingError
from zoo.errors import BackboneError

DONE = 0
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

    SIGTERM ends it as an interrupt does, so that temporary files are removed.
    """
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        action()
    except tuple(_CODES) as error:
        if debug:
            traceback.print_exc()
        print(f"zoo: {error}", file=sys.stderr)
        return next(code for kind, code in _CODES.items() if isinstance(error, kind))
    except KeyboardInterrupt:
        print("zoo: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough, as in `zoo list | head`. Python would complain
        # again when it flushes at exit, so what is left goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    finally:
        signal.signal(signal.SIGTERM, before)
    return DONE


def _terminate(_signal: int, _frame: object) -> None:
    raise SystemExit(TERMINATED)
