"""Twenty steps of one model: by one device, by two of a process, or by two workers.

A process of its own, because TensorFlow takes one strategy in each: gives the weights
in an `.npz` file, and what else it found as one line of JSON.
"""

import dataclasses
import json
import math
import sys
import time

import keras
import numpy as np
import tensorflow as tf

import zoo
from pipelines.config import FinetuneConfig, RunConfig
from pipelines.data.input.order import shuffled_epochs
from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError
from pipelines.planning.plan import Phase
from pipelines.runs import resume
from pipelines.runs.agreement import gather_workers
from pipelines.training import freezing
from pipelines.training.checkpoint import Checkpoint
from pipelines.training.distributed.distribution import Distribution, distribution_of
from pipelines.training.distributed.replicas import (
    in_shares,
    replica_function,
    train_in_replicas,
)
from pipelines.training.distributed.workers import require_same_everywhere
from pipelines.training.rates import optimizer_for

# 5 steps in an epoch, of which the last has 13 examples.
EXAMPLES, BATCH, STEPS, EPOCHS, SIZE = 77, 16, 5, 4, 16
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def config(**fields) -> RunConfig:
    return RunConfig(
        data="builtin:digits?limit=110",
        backbone="tiny_image",
        weights="none",
        workdir="unused",
        batch_size=BATCH,
        **fields,
    )


def model_to_train(*, accumulate_steps: int = 1) -> keras.Model:
    """With dropout, and a norm that every gradient exceeds."""
    keras.utils.set_random_seed(0)
    base = zoo.build("tiny_image", weights=None, input_size_px=SIZE)
    names = [block.name for block in base.blocks]
    freezing.set_trainable(base.blocks, names, batchnorm="frozen")
    pooled = keras.layers.GlobalAveragePooling2D()(base.model.output)
    model = keras.Model(base.model.input, keras.layers.Dense(10)(pooled))
    phase = Phase("all", (), EPOCHS, "adam", 1e-3, 0.0, 0.1, 0.05, 3, "frozen", False)
    phase = dataclasses.replace(phase, accumulate_steps=accumulate_steps)
    model.compile(
        optimizer_for(
            phase,
            rate_multipliers=[1.0] * len(model.trainable_variables),
            steps=STEPS * EPOCHS,
        ),
        loss=LOSS,
        weighted_metrics=["accuracy"],
        jit_compile=False,
    )
    return model


def examples() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (EXAMPLES, SIZE, SIZE, 3)).astype(np.uint8)
    return pixels, draw.integers(0, 10, EXAMPLES)


def train(
    distribution: Distribution,
    *,
    deadline_seconds: float = math.inf,
    accumulate_steps: int = 1,
) -> tuple[keras.Model, dict]:
    pixels, labels = examples()
    model = model_to_train(accumulate_steps=accumulate_steps)
    plain = tf.data.Dataset.from_tensor_slices((pixels, labels)).batch(BATCH)
    model.evaluate(plain, verbose=0)
    share = distribution.share(BATCH) if distribution.strategy else None
    rows = share.rows if share else BATCH
    stream = shuffled_epochs(
        EXAMPLES,
        lambda draws: (
            draws.map(lambda draw: draw.index)
            .batch(rows)
            .map(lambda i: (tf.gather(pixels, i), tf.gather(labels, i)))
        ),
        seed=0,
        share=share,
    )
    if share:
        train_in_replicas(model, LOSS, distribution, deadline_seconds=deadline_seconds)
        stream = in_shares(stream, share, examples=EXAMPLES, first_step=0)
    history = model.fit(
        stream, steps_per_epoch=STEPS, epochs=EPOCHS, shuffle=False, verbose=0
    )
    return model, history.history


def refusal(action) -> str:
    try:
        action()
    except ConfigError as error:
        return str(error)
    return ""


def refuse(message: str) -> None:
    raise ConfigError(message)


def refusals_of_mirrored() -> dict[str, str]:
    def of(**fields) -> str:
        given = config(distribution="mirrored", **fields)
        return refusal(lambda: distribution_of(given))

    odd = config(distribution="mirrored")
    odd.batch_size = 15
    return {
        "batch_size": refusal(lambda: distribution_of(odd)),
        "rate": of(finetune=FinetuneConfig(find_learning_rate=True)),
        "float16": of(precision="mixed_float16"),
        "profile": of(profile=True),
    }


def what_a_tpu_would_run() -> dict[str, object]:
    """The step of a replica through XLA in bfloat16, and whether a TPU is here."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = model_to_train()
    pixels, labels = examples()
    ones = tf.ones(BATCH)
    rows = (tf.constant(pixels[:BATCH]), tf.constant(labels[:BATCH]), ones, ones)
    values = [
        [tf.convert_to_tensor(v.value) for v in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    compiled = tf.function(replica_function(model, LOSS), jit_compile=True)
    total, *_ = compiled(*values, rows, tf.constant(0.0))
    lost, examples_seen = total[-5], total[-2]
    return {
        "loss": float(lost / examples_seen),
        "kinds": sorted({v.dtype for v in model.trainable_variables}),
        "absent": refusal(lambda: distribution_of(config(distribution="tpu"))),
    }


def what_workers_say(distribution: Distribution) -> dict[str, object]:
    workers = distribution.workers
    index = workers.index
    saved = Checkpoint({"place": 3}, {"a": [np.full((2, 3), 1.5, np.float32)], "b": []})
    found = workers.broadcast_checkpoint(saved if workers.is_chief else None)
    variable = keras.Variable(np.full(3, float(index + 1), np.float32))
    workers.broadcast_variables([variable])
    strange = config(seed=index, distribution="workers")
    data = DatasetRef.parse(f"builtin:digits?limit={110 + index}")
    splits = check_and_split(read(data), data)
    # The chief's clock counts, and only that.
    deadline = 0.0 if workers.is_chief else math.inf
    started = time.monotonic()
    _, history = train(distribution, deadline_seconds=deadline)
    return {
        "checkpoint": [found.values, found.arrays["a"][0].tolist(), found.arrays["b"]],
        "nothing": workers.broadcast_checkpoint(None) is None,
        "shared": variable.numpy().tolist(),
        "result": workers.on_chief(lambda: {"by": index}),
        "refusal": refusal(lambda: workers.on_chief(refuse, f"no room at {index}")),
        "all": workers.gather({"index": index, "text": "x" * index}),
        "config": refusal(lambda: gather_workers(strange)),
        "code": refusal(lambda: require_same_everywhere(workers, {"code": f"{index}"})),
        "data": refusal(
            lambda: require_same_everywhere(workers, resume.about_data(splits))
        ),
        "epochs_after_deadline": len(history["loss"]),
        "seconds": time.monotonic() - started,
    }


def main(kind: str, path: str) -> None:
    if kind == "mirrored":
        (cpu,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
    distribution = distribution_of(config(distribution=kind))
    model, history = train(distribution)
    np.savez(path, *model.get_weights())
    # A strategy of workers adds nothing to how the optimizer takes a gradient.
    accumulated = {}
    if kind != "workers":
        model, _ = train(distribution, accumulate_steps=2)
        accumulated = {"accumulated": model.get_weights()[-2].ravel().tolist()}
    also = {
        "none": what_a_tpu_would_run,
        "mirrored": refusals_of_mirrored,
        "workers": lambda: what_workers_say(distribution),
    }[kind]()
    values = {"replicas": distribution.replicas, "history": history}
    values |= {**accumulated, **also}
    print(json.dumps(values))


if __name__ == "__main__":
    main(*sys.argv[1:])
