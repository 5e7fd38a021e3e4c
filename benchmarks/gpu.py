"""The use of a GPU by training, for several backbones and number formats.

For each: images per second of a full training step (Adam, all blocks, batches on the
device), the utilisation meanwhile by `nvidia-smi`, and the operations of the steps as a
share of the fastest matrix product measured in that format. A step counts as three
forward passes, whose operations TensorFlow's profiler counts; a multiplication and an
addition are two operations.

It has not been run on a GPU: none was at hand when it was written. Without one it says
so and ends with 2.

Command: python -m benchmarks.gpu --backbones resnet50 efficientnet_b0 --batch=128
Cost:    about 1 minute for each backbone and format.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

import zoo
from benchmarks.spread import spread
from pipelines.runtime.precision import precision, shorter_format

_NO_GPU = 2
_PRODUCT = 8192
_BACKBONES = ("resnet50", "efficientnet_b0", "convnext_tiny", "mobilenet_v2")
_CLASSES = 1000
_STEP_OF_FORWARD = 3


class _Utilisation(threading.Thread):
    """Percent of the time in which the device computed, sampled while it runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.percents: list[float] = []
        self._over = threading.Event()

    def run(self) -> None:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader"]
        while not self._over.wait(0.2):
            ended = subprocess.run(query, capture_output=True, text=True, check=True)
            self.percents.append(float(ended.stdout.split()[0]))

    def result(self) -> str:
        self._over.set()
        self.join()
        if not self.percents:
            return "-"
        return f"{statistics.median(self.percents):.0f} %"


def matrix_limit(dtype: str, *, size: int = _PRODUCT, repetitions: int = 10) -> float:
    """Operations per second of the fastest of some square products."""
    left, right = (tf.cast(tf.random.normal((size, size)), dtype) for _ in range(2))

    @tf.function
    def products(a, b):
        for _ in range(repetitions):
            a = tf.linalg.matmul(a, b)
        return tf.reduce_sum(tf.cast(a[:1, :1], tf.float32))

    products(left, right).numpy()
    times = []
    for _ in range(3):
        started = time.perf_counter()
        products(left, right).numpy()
        times.append(time.perf_counter() - started)
    return 2.0 * size**3 * repetitions / min(times)


def forward_operations(model: keras.Model, *, size_px: int) -> float:
    """Multiplications and additions of one image, as TensorFlow counts them."""
    from tensorflow.python.profiler import model_analyzer, option_builder

    spec = tf.TensorSpec((1, size_px, size_px, 3), tf.uint8)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)
    options = option_builder.ProfileOptionBuilder(
        option_builder.ProfileOptionBuilder.float_operation()
    ).with_empty_output()
    profile = model_analyzer.profile(graph.graph, options=options.build())
    return float(profile.total_float_ops)


def measured(
    name: str, policy: str, *, xla: bool, arguments: argparse.Namespace
) -> str:
    """The columns of a row."""
    with precision(policy):
        base = zoo.build(name, weights=None, input_size_px=arguments.size)
        pooled = keras.layers.GlobalAveragePooling2D()(base.model.output)
        logits = keras.layers.Dense(_CLASSES, dtype="float32")(pooled)
        model = keras.Model(base.model.input, logits)
        model.compile(
            keras.optimizers.Adam(1e-4),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=xla,
        )
    random = np.random.default_rng(0)
    shape = (arguments.batch, arguments.size, arguments.size, 3)
    batch = (
        tf.constant(random.integers(0, 256, shape).astype("uint8")),
        tf.constant(random.integers(0, _CLASSES, arguments.batch)),
    )
    batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
    model.make_train_function()
    _train(model, batches, steps=3)
    watch = _Utilisation() if shutil.which("nvidia-smi") else None
    if watch is not None:
        watch.start()
    rates = []
    for _ in range(arguments.repetitions):
        started = time.perf_counter()
        _train(model, batches, steps=arguments.steps)
        rates.append(
            arguments.batch * arguments.steps / (time.perf_counter() - started)
        )
    busy = "-" if watch is None else watch.result()
    operations = _STEP_OF_FORWARD * forward_operations(model, size_px=arguments.size)
    share = (
        statistics.median(rates)
        * operations
        / matrix_limit(model.compute_dtype, size=arguments.product)
    )
    return f"{spread(rates, digits=0)} | {busy} | {share:.1%}"


def _train(model: keras.Model, batches, *, steps: int) -> None:
    for _ in range(steps):
        logs = model.train_function(batches)
    # Waits until the device is done, not only until the step is scheduled.
    float(np.asarray(next(iter(tf.nest.flatten(logs)))))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbones", nargs="+", default=_BACKBONES)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--product", type=int, default=_PRODUCT, help="its side")
    arguments = parser.parse_args()
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        print(
            "TensorFlow sees no GPU here, and this measures nothing else. On a machine"
            " that has one, install 'zootune[gpu]'; `zoo doctor` says what it sees.",
            file=sys.stderr,
        )
        return _NO_GPU
    details = tf.config.experimental.get_device_details(gpus[0])
    name = details.get("device_name", "GPU")
    print(f"{name}, batch {arguments.batch}, {arguments.size} px")
    print()
    print("| | precision | XLA | images/s | utilisation | of the matrix limit |")
    print("| --- | --- | --- | --- | --- | --- |")
    formats = [name for name in ("float32", shorter_format()) if name]
    for name, policy, xla in itertools.product(
        arguments.backbones, formats, (False, True)
    ):
        row = measured(name, policy, xla=xla, arguments=arguments)
        print(f"| {name} | {policy} | {'yes' if xla else 'no'} | {row} |", flush=True)
        keras.utils.clear_session()
    return 0


if __name__ == "__main__":
    sys.exit(main())
