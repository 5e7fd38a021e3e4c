"""Refuses to compute after a fork, which lacks the threads that TensorFlow waits for.

Where TensorFlow had run before a fork, the child would wait for ever for threads that
only its parent has. So it gets an error at once.
"""

from __future__ import annotations

import os
import sys

_had_run = False


def refuse_after_fork() -> None:
    """Raises `RuntimeError` in a child of a process in which TensorFlow had run."""
    if _had_run:
        raise RuntimeError(
            "This process was forked from one in which TensorFlow had already run, and"
            " would wait for ever for its threads. Start workers with"
            " multiprocessing.get_context('spawn'), and load the artifact in the"
            " worker: pipelines.load(path)."
        )


def _note() -> None:
    global _had_run
    context = sys.modules.get("tensorflow.python.eager.context")
    running = context.context_safe() if context is not None else None
    _had_run = _had_run or bool(running is not None and running._initialized)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_note)
