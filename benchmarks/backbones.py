"""The cost of every backbone: multiply-adds, and examples per second on this CPU.

Each row that can have random weights is built at its default size in float32. Speed is
measured on one compiled forward pass over a batch of 16: the median of three after a
warm-up, with the slowest and the fastest beside it. The figures go to
docs/backbone_figures.json, row by row; `make docs` puts them into
docs/reference/backbones.md.

Command: zoo fetch minilm_l6 use_multilingual (their words are needed)
         python -m benchmarks.backbones count
         python -m benchmarks.backbones speed
Cost:    about 5 and 15 minutes on two quiet CPU cores, and 10 GB of memory.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

import zoo
from zoo.catalog import CATALOG
from zoo.graph.multiply_adds import multiply_adds

FIGURES = Path(__file__).parents[1] / "docs" / "backbone_figures.json"
BATCH = 16
_TIMED_BATCHES = 3


def examples_per_second(backbone: zoo.Backbone) -> dict[str, float]:
    """The median over a few batches, and the slowest and the fastest of them."""
    model = backbone.model
    call = tf.function(lambda inputs: model(inputs, training=False), jit_compile=False)
    inputs = _batch(backbone)
    call(inputs).numpy()
    rates = []
    for _ in range(_TIMED_BATCHES):
        started = time.perf_counter()
        call(inputs).numpy()
        rates.append(BATCH / (time.perf_counter() - started))
    return {
        "median": round(statistics.median(rates), 2),
        "slowest": round(min(rates), 2),
        "fastest": round(max(rates), 2),
    }


def _batch(backbone: zoo.Backbone) -> tf.Tensor:
    shape = (BATCH, *backbone.model.input_shape[1:])
    if backbone.spec.modality == "text":
        return tf.fill([BATCH], " ".join(["word"] * (backbone.input_length or 16)))
    return tf.constant(np.random.default_rng(0).uniform(0, 255, shape), tf.float32)


def _machine() -> str:
    """The processor in words, without anything that identifies the machine."""
    description = Path("/proc/cpuinfo")
    lines = description.read_text().splitlines() if description.is_file() else []
    models = [x.partition(":")[2].strip() for x in lines if x.startswith("model name")]
    return f"{os.cpu_count()} cores of {models[0] if models else 'an unknown CPU'}"


def _load() -> dict[str, Any]:
    return json.loads(FIGURES.read_text()) if FIGURES.is_file() else {}


def _write(figures: dict[str, Any]) -> None:
    FIGURES.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("count", "speed"))
    parser.add_argument("pattern", nargs="?", default="*")
    arguments = parser.parse_args()
    for name in zoo.list_backbones(arguments.pattern):
        if zoo.get_spec(name) not in CATALOG or zoo.get_spec(name).carries_weights:
            continue
        backbone = zoo.build(name, weights=None)
        figures = _load()
        row = figures.setdefault("backbones", {}).setdefault(name, {})
        if arguments.what == "count":
            row["multiply_adds"] = multiply_adds(backbone.model)
        else:
            row["examples_per_second"] = examples_per_second(backbone)
            figures["measured"] = {
                "date": datetime.date.today().isoformat(),
                "machine": _machine(),
                "command": f"python -m benchmarks.backbones {' '.join(sys.argv[1:])}",
                "load": f"{os.getloadavg()[2]:.1f} over the last 15 minutes",
            }
        _write(figures)
        print(name, row, flush=True)
        del backbone
        keras.utils.clear_session()


if __name__ == "__main__":
    main()
