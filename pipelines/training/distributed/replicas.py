"""Steps that several replicas compute: each the gradient of its rows of a batch.

The sum of the gradients is applied once in each process, by the optimizer of one
device to the variables of one device. So clipping, decay, rates of blocks, averages of
weights, checkpoints and callbacks are those of one device, and `fit` of Keras, which
cannot train under every strategy itself, calls these steps as its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from pipelines.data.input.order import WorkerShard
from pipelines.errors import ConfigError
from pipelines.training.distributed.distribution import Distribution
from pipelines.training.distributed.dropout import noise_of_batch
from pipelines.training.distributed.workers import Workers, lost_workers_named

_SEED = "seed_generator_state"


def in_shares(
    batches: tf.data.Dataset, share: WorkerShard, *, examples: int, first_step: int
) -> tf.data.Dataset:
    """Batches as `train_in_replicas` takes them: inputs, labels, weights, is real.

    The last two are float32 `[rows]`. All batches have as many rows, also the last one
    of an epoch, where the rows that fill it up are not real.
    """
    steps = math.ceil(examples / share.batch_size)
    numbers = tf.data.Dataset.counter(start=first_step)
    real = numbers.map(lambda n: share.are_real(n % steps, examples=examples))

    def joined(batch: tuple, is_real: tf.Tensor) -> tuple:
        inputs, labels, *weights = batch
        weight = weights[0] if weights else tf.ones_like(is_real)
        columns = (inputs, labels, tf.cast(weight, tf.float32), is_real)
        return tf.nest.map_structure(_fixed(share.rows), columns)

    zipped = tf.data.Dataset.zip(batches, real)
    return zipped.map(lambda batch, is_real: joined(batch, is_real)).prefetch(
        tf.data.AUTOTUNE
    )


def _fixed(rows: int) -> Callable[[tf.Tensor], tf.Tensor]:
    # A TPU computes on shapes that are known, and on no others.
    return lambda tensor: tf.ensure_shape(tensor, [rows, *tensor.shape[1:]])


def train_in_replicas(
    model: keras.Model,
    loss: keras.losses.Loss,
    distribution: Distribution,
    *,
    deadline_seconds: float,
) -> None:
    """Has the next fit of a compiled model take its steps in all replicas.

    The model has been evaluated before, and has metrics for loss and accuracy. Training
    stops in all workers after the same step when the chief's deadline, in the seconds
    of `time.monotonic`, has passed.
    """
    step, split = _step(model, loss, distribution), _splitter(distribution)
    is_chief = distribution.workers.is_chief

    def train(iterator):
        is_late = is_chief and time.monotonic() > deadline_seconds
        batch = split(next(iterator))
        with lost_workers_named():
            if step(batch, tf.constant(float(is_late))) > 0:
                model.stop_training = True
        return model.get_metrics_result()

    model.optimizer.build(model.trainable_variables)
    model.train_function = train


def sync_callbacks(distribution: Distribution) -> Sequence[keras.callbacks.Callback]:
    """The callback that keeps several workers in step; none for one worker."""
    return (
        () if distribution.workers.is_alone else (SyncCallback(distribution.workers),)
    )


class SyncCallback(keras.callbacks.Callback):
    """Keeps workers in step: the weights and the validation that count are the chief's.

    Comes first, so that the others decide by these numbers. `weights` are same anyway
    where all workers compute the same bits.
    """

    def __init__(self, workers: Workers) -> None:
        super().__init__()
        self._workers = workers

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Gives all workers the chief's weights."""
        self._workers.broadcast_variables(self.model.trainable_variables)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Replaces the numbers of the epoch by the chief's, for later callbacks."""
        if logs is not None:
            numbers = {name: float(value) for name, value in logs.items()}
            logs.update(self._workers.broadcast(numbers))


def _splitter(distribution: Distribution) -> Callable[[tuple], tuple]:
    """A function from a batch of this worker to the rows of each of its replicas."""
    strategy, workers = distribution.shared, distribution.workers
    here = distribution.replicas // workers.size
    first = here * workers.index

    def rows_of(tensor: tf.Tensor) -> tf.distribute.DistributedValues:
        rows = tensor.shape[0] // here

        def part(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
            start = (context.replica_id_in_sync_group - first) * rows
            return tensor[start : start + rows]

        return strategy.experimental_distribute_values_from_function(part)

    return lambda batch: tf.nest.map_structure(rows_of, batch)


def _step(
    model: keras.Model, loss: keras.losses.Loss, distribution: Distribution
) -> Callable[[tuple, tf.Tensor], tf.Tensor]:
    """A function from the rows of replicas, and whether this one stops, to how many."""
    strategy, replica = distribution.shared, replica_function(model, loss)
    shapes = [tuple(v.shape) for v in model.trainable_variables]
    sizes = [math.prod(shape) for shape in shapes]

    @tf.function(autograph=False)
    def step(batch: tuple, is_late: tf.Tensor) -> tf.Tensor:
        values = (_values(model.trainable_variables), _values(_others(model)))
        results = strategy.run(replica, args=(*values, batch, is_late))
        # The same in all replicas, also random states, which move in step.
        total, *seeds = [
            strategy.experimental_local_results(result)[0] for result in results
        ]
        *flat, numbers = tf.split(total, [*sizes, 5])
        lost, right, weight, examples, late = tf.unstack(numbers)
        gradients = [tf.reshape(g / examples, s) for g, s in zip(flat, shapes)]
        model.optimizer.apply(gradients, model.trainable_variables)
        for variable, value in zip(_seeds(model), seeds, strict=True):
            variable.assign(value)
        # Totals and counts of loss and accuracy, in the order that Keras has them.
        counted = (lost, examples, right, weight)
        for variable, value in zip(model.metrics_variables, counted, strict=True):
            variable.assign_add(value)
        return late

    return step


def replica_function(model: keras.Model, loss: keras.losses.Loss) -> Callable:
    """The function that one replica computes; shapes are known, so that XLA takes it.

    Takes the values of trainable and other variables, the rows, and a number. Gives
    the sums over all replicas, flat: of gradients, the loss, right answers, weights,
    examples and the number; and the states of random generators after the step.

    Raises:
        ConfigError: naming a variable that cannot be trained so.
    """

    def replica(trainable, others, rows, number):
        context = tf.distribute.get_replica_context()
        inputs, labels, weights, is_real = rows
        weights = weights * is_real
        noise = noise_of_batch(
            model,
            replica=context.replica_id_in_sync_group,
            replicas=context.num_replicas_in_sync,
        )
        with tf.GradientTape() as tape, noise:
            tape.watch(trainable)
            logits, moved, added = model.stateless_call(
                trainable, others, inputs, training=True, return_losses=True
            )
            logits = tf.cast(logits, tf.float32)
            examples = tf.reduce_sum(is_real)
            lost = tf.reduce_sum(loss.call(labels, logits) * weights)
            # The other losses are those of a whole batch, whatever its size.
            lost += examples * sum(tf.cast(extra, tf.float32) for extra in added)
        gradients = tape.gradient(lost, trainable)
        _refuse_unreached(model, gradients, others, moved)
        right = tf.reduce_sum(_is_right(labels, logits) * weights)
        numbers = [lost, right, tf.reduce_sum(weights), examples, number]
        flat = [tf.reshape(tf.convert_to_tensor(g), [-1]) for g in gradients]
        total = context.all_reduce(
            tf.distribute.ReduceOp.SUM, tf.concat([*flat, tf.stack(numbers)], axis=0)
        )
        after = zip(_others(model), moved, strict=True)
        return [total, *(value for variable, value in after if _is_seed(variable))]

    return replica


def _is_right(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    if labels.shape.rank == 2:
        return keras.metrics.categorical_accuracy(labels, logits)
    return keras.metrics.sparse_categorical_accuracy(labels, logits)


def _others(model: keras.Model) -> list[keras.Variable]:
    return model.non_trainable_variables


def _values(variables: Sequence[keras.Variable]) -> list[tf.Tensor]:
    return [tf.convert_to_tensor(variable.value) for variable in variables]


def _is_seed(variable: keras.Variable) -> bool:
    return variable.name == _SEED


def _seeds(model: keras.Model) -> list[keras.Variable]:
    return [variable for variable in _others(model) if _is_seed(variable)]


def _refuse_unreached(
    model: keras.Model,
    gradients: Sequence[tf.Tensor | None],
    before: Sequence[tf.Tensor],
    moved: Sequence[tf.Tensor],
) -> None:
    """Refuses layers that read or write variables behind Keras' back.

    That is what a SavedModel does: its graph holds the variables of one device.
    """
    trained = zip(model.trainable_variables, gradients)
    unreached = [variable.path for variable, gradient in trained if gradient is None]
    pairs = zip(_others(model), before, moved, strict=True)
    written = [v.path for v, a, b in pairs if a is not b and not _is_seed(v)]
    if unreached or written:
        names = ", ".join([*unreached, *written][:3])
        raise ConfigError(
            f"{names} cannot be trained in several replicas: the layer keeps variables"
            " in a graph of its own, or changes them itself. Use"
            " config.distribution='none', config.strategy='head_only', or another"
            " backbone."
        )
