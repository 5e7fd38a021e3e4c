"""The process of a caller in Python, left as it was before a call.

A run draws from the generators that Python, NumPy, TensorFlow and Keras have for the
whole process, sets seeds and settings, and imports what sets up logging. The caller's
next random number must not depend on any of it.
"""

from __future__ import annotations

import contextlib
import logging
import random
import signal
import sys
import threading
import warnings
from collections.abc import Iterator

from pipelines.runtime import signals, standard_streams
from zoo import backend

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_STAGES = "zootune"


@contextlib.contextmanager
def preserved(*, shows_stages: bool = False) -> Iterator[None]:
    """Inside, TensorFlow is there; changes to the process are undone at the end.

    These are random generators and seeds, the settings of Keras, filters of warnings,
    loggers and signals. With `shows_stages`, stages are printed to stdout for a caller
    who has not set up logging.

    Raises:
        BackboneError: if TensorFlow is not installed, or Keras runs without it.
    """
    standard_streams.open_closed()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_generators())
        stack.enter_context(_signals())
        stack.enter_context(_logging())
        stack.enter_context(warnings.catch_warnings())
        if shows_stages:
            _show_stages()
        backend.start_quietly()
        stack.enter_context(_seeds_of_keras())
        stack.enter_context(_seeds_of_tensorflow())
        stack.enter_context(backend.plain_settings())
        stack.enter_context(_plain_policy())
        stack.enter_context(signals.noted())
        yield


@contextlib.contextmanager
def started() -> Iterator[None]:
    """Inside, TensorFlow is there; for calls that change nothing, in any thread.

    Raises:
        BackboneError: as `preserved`.
    """
    with _generators():
        backend.start_quietly("tensorflow")
    yield


@contextlib.contextmanager
def _generators() -> Iterator[None]:
    """Keeps the generators of Python and NumPy; some imports draw from the first."""
    import numpy as np  # here, because commands that need none must answer at once

    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextlib.contextmanager
def _seeds_of_keras() -> Iterator[None]:
    # Keras has a function that sets them, and none that returns them.
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
    from keras.src.utils.rng_utils import GLOBAL_RANDOM_SEED

    names = (GLOBAL_RANDOM_SEED, GLOBAL_SEED_GENERATOR)
    before = {name: global_state.get_global_attribute(name) for name in names}
    # One that is there is not drawn from: where ours are made, they are made anew.
    global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, None)
    try:
        yield
    finally:
        for name, value in before.items():
            global_state.set_global_attribute(name, value)


@contextlib.contextmanager
def _seeds_of_tensorflow() -> Iterator[None]:
    """Restores the seed of the process, and the generator for ops without a seed.

    An op that has a seed of its own begins its row of numbers anew, as whenever a seed
    is set.
    """
    from tensorflow.python.eager import context

    ours = context.context()
    seed, generator = ours._seed, getattr(ours, "_rng", None)
    state = None if generator is None else generator.getstate()
    try:
        yield
    finally:
        ours._seed = seed
        if generator is not None:
            generator.setstate(state)
            ours._rng = generator


@contextlib.contextmanager
def _plain_policy() -> Iterator[None]:
    """Layers compute in float32 unless a run says otherwise."""
    import keras
    from keras.src.backend.common import global_state

    before = global_state.get_global_attribute("dtype_policy")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        global_state.set_global_attribute("dtype_policy", before)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Restores the handlers of signals; only the main thread can have others."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in known}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None is a handler that no Python has set, and none can set again.
            if handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)


@contextlib.contextmanager
def _logging() -> Iterator[None]:
    """Restores levels and handlers of all loggers."""
    others = logging.root.manager.loggerDict.values()
    known = [logger for logger in others if isinstance(logger, logging.Logger)]
    known += [logging.root, logging.getLogger(_STAGES)]
    before = [(log, log.level, log.handlers[:], log.propagate) for log in known]
    try:
        yield
    finally:
        for logger, level, handlers, propagates in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers
            logger.propagate = propagates


def _show_stages() -> None:
    logger = logging.getLogger(_STAGES)
    if logger.hasHandlers() or sys.stdout is None:
        return
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    # What is imported later may give the root a handler, which would say it twice.
    logger.propagate = False
