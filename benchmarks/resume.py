"""Training that is killed at random moments, against training that never was.

A run is killed with SIGKILL at a random moment of its training, and then started again.
Its weights, results and history must be those of a run that nothing happened to, bit
for bit; only seconds may differ.

Command: python benchmarks/resume.py --kills=20
Cost:    about 5 minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import random
import shutil
import signal
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trained import train as train_run
from pipelines.config import RunConfig, checked

_TIMED = ("seconds", "images_per_second")


def config_of(folder: Path) -> RunConfig:
    """Two phases, dropout, steps inside of epochs saved as well as their ends."""
    config = RunConfig(data="builtin:digits?limit=200", backbone="tiny_image")
    config.weights, config.strategy, config.workdir = "none", "full", str(folder)
    config.input_size_px, config.batch_size = 16, 16
    config.checkpoint_seconds = 0.05
    # `auto` asks a clock, in each of these runs anew, and a resumed one the run before.
    config.precision = "float32"
    config.augment.strength = "none"
    config.head.epochs, config.head.dropout = 3, 0.3
    config.finetune.epochs = config.finetune.patience_epochs = 40
    return checked(config)


def train(folder: Path, into: Path) -> None:
    """Prepares and trains in this process, and writes what came of it."""
    trained = train_run(config_of(folder))
    told = {
        "weights": _digest(trained.model.model.get_weights()),
        "logits": _digest([trained.calibrated.test.logits]),
        "phases": [_untimed(dataclasses.asdict(p)) for p in trained.history.phases],
        "history": [
            _untimed(json.loads(line))
            for line in trained.history_path.read_text().splitlines()
        ],
    }
    into.write_text(json.dumps(told))


def _digest(arrays: list[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()


def _untimed(values: Any) -> Any:
    if isinstance(values, dict):
        return {k: _untimed(v) for k, v in values.items() if k not in _TIMED}
    return [_untimed(v) for v in values] if isinstance(values, list | tuple) else values


def start(folder: Path, into: Path) -> int:
    """Trains in a process of its own, and gives its number.

    A copy of this one, which has imported TensorFlow and computed nothing: that saves
    the seconds of an import for each.
    """
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        train(folder, into)
        code = 0
    except Exception:  # noqa: BLE001 - nothing else would print it
        traceback.print_exc()
    finally:
        os._exit(code)


def has_ended(child: int, *, wait: bool = False) -> bool:
    """True if a process has ended, and succeeded or was killed by us.

    Raises:
        RuntimeError: if it failed.
    """
    number, status = os.waitpid(child, 0 if wait else os.WNOHANG)
    if number and status not in (0, signal.SIGKILL):
        raise RuntimeError(f"Training ended with status {status}.")
    return number != 0


def killed_after(folder: Path, into: Path, *, epochs: int) -> bool:
    """Kills a run a moment after `epochs`; returns False if the run ended before."""
    history = folder / "history.jsonl"
    saved = folder / "checkpoints" / "training" / "000001.json"
    child = start(folder, into)
    while not (_lines(history) >= epochs and (epochs or saved.exists())):
        if has_ended(child):
            return False
        time.sleep(0.001)
    time.sleep(random.random() * 0.1)
    if has_ended(child):
        return False
    os.kill(child, signal.SIGKILL)
    has_ended(child, wait=True)
    return True


def _lines(path: Path) -> int:
    return path.read_text().count("\n") if path.is_file() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        began = time.monotonic()
        has_ended(start(home / "whole", home / "whole.json"), wait=True)
        seconds = time.monotonic() - began
        wanted = json.loads((home / "whole.json").read_text())
        epochs = len(wanted["history"])
        print(f"not killed: {epochs} epochs in {seconds:.0f} s", flush=True)
        same = killed = 0
        while killed < arguments.kills:
            folder, into = home / str(killed), home / f"{killed}.json"
            epochs = random.randrange(len(wanted["history"]))
            if not killed_after(folder, into, epochs=epochs):
                shutil.rmtree(folder)
                continue
            killed += 1
            has_ended(start(folder, into), wait=True)
            is_same = json.loads(into.read_text()) == wanted
            same += is_same
            result = "the same" if is_same else "ANOTHER"
            print(f"killed in epoch {epochs + 1}: {result} result", flush=True)
        print(f"{same} of {killed} ended as if they had not been killed")


if __name__ == "__main__":
    main()
