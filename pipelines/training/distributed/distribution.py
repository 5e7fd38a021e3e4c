"""The devices of a run: one, several of a machine, several machines, or a TPU."""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
from typing import Any

import keras
import tensorflow as tf

from pipelines.config import AUTO_BACKBONE, RunConfig
from pipelines.data.input.order import WorkerShard
from pipelines.data.splits import Inputs
from pipelines.display.text import PLURALS
from pipelines.errors import ConfigError
from pipelines.planning.plan import Phase, TransferPlan
from pipelines.training.batchnorm import batchnorm_layers
from pipelines.training.distributed.cluster import VARIABLE, Cluster, cluster_of
from pipelines.training.distributed.workers import Workers, lost_workers_named
from zoo.graph.blocks import Block, KeepsStatistics, layers_inside
from zoo.saved_model.layer import SavedModelLayer

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, eq=False)
class Distribution:
    """The devices that share the steps of a run, and the workers that they are of.

    `kind` is `none`, `mirrored`, `workers` or `tpu`. Without a strategy there is one
    device, and everything is as Keras does it.
    """

    kind: str = "none"
    strategy: tf.distribute.Strategy | None = None
    workers: Workers = dataclasses.field(default_factory=Workers)

    @property
    def replicas(self) -> int:
        """The number of devices that compute a step, on all workers together."""
        return 1 if self.strategy is None else self.strategy.num_replicas_in_sync

    def of_phase(self, phase: Phase) -> Distribution:
        """The devices of a phase: a head on features is too small to be shared."""
        return ONE_DEVICE if phase.trains_head_only else self

    @property
    def shared(self) -> tf.distribute.Strategy:
        """The strategy, where there is one."""
        if self.strategy is None:
            raise ValueError("One device has no strategy.")
        return self.strategy

    def share(self, batch_size: int) -> WorkerShard:
        """The rows of each batch that this worker reads."""
        return WorkerShard(self.workers.index, self.workers.size, batch_size)

    def precision(self, name: str) -> str:
        """The number format: `auto` is bfloat16 on a TPU, whose matrices have that.

        Several other devices take float32: what each worker times could differ.
        """
        if name != "auto" or self.kind == "none":
            return name
        return "mixed_bfloat16" if self.kind == "tpu" else "float32"

    def described(self) -> dict[str, Any]:
        """The values for the record; empty for one device."""
        if self.strategy is None:
            return {}
        cluster = self.workers.cluster
        workers = list(cluster.addresses) if cluster else []
        values = {"kind": self.kind, "replicas": self.replicas, "workers": workers}
        return {"distribution": values}


ONE_DEVICE = Distribution()


def distribution_of(config: RunConfig) -> Distribution:
    """The devices of this run, by the config and the machine.

    Has to come before anything is computed. Where there are several workers it waits
    for all of them.

    Raises:
        ConfigError: if what the config asks for is not there, or cannot do what else
            it asks for.
    """
    kind = config.distribution
    text = os.environ.get(VARIABLE, "")
    if kind == "workers" and not text:
        raise ConfigError(
            f"config.distribution is 'workers', and the variable {VARIABLE}, which says"
            " where they are, is not set. Set it on every worker"
            " (docs/reference/distributed.md shows how), or use 'auto'."
        )
    if kind in ("auto", "workers") and text:
        cluster = cluster_of(text)
        if kind == "workers" or len(cluster.addresses) > 1:
            _refuse_alone(config)
            return _fitting(config, _workers(cluster))
    if kind == "mirrored" or (kind == "auto" and _gpus() > 1):
        return _fitting(config, _mirrored())
    if kind == "tpu":
        return _fitting(config, _tpu())
    return ONE_DEVICE


def _refuse_alone(config: RunConfig) -> None:
    """Raises `ConfigError` for what one worker does, where there are several."""
    if config.backbone == AUTO_BACKBONE:
        raise ConfigError(
            "config.backbone='auto' compares backbones on one machine, and"
            f" {VARIABLE} names several workers. Name a backbone; `zoo plan --backbone"
            " auto` on one of them prints the choice."
        )
    if config.folds or config.test_views != "none":
        field = "folds" if config.folds else "test_views"
        raise ConfigError(
            f"config.{field} solves its heads on one machine, and {VARIABLE} names"
            " several workers. Set config.distribution='none', or leave"
            f" config.{field} out."
        )


def refuse_undoable(
    distribution: Distribution,
    plan: TransferPlan,
    blocks: tuple[Block, ...],
    inputs: Inputs,
) -> None:
    """Raises `ConfigError` for a plan that several devices cannot carry out together.

    That is one that trains BatchNorm, because the rows that fill up a last batch would
    count in its statistics, or a SavedModel, whose graph holds the variables of one
    device.
    """
    if distribution.strategy is None:
        return
    if distribution.kind == "tpu" and inputs.modality in ("text", "sound"):
        raise ConfigError(
            f"config.distribution is 'tpu', and {PLURALS[inputs.modality]} are strings,"
            " which a TPU cannot take. Use config.distribution='none' or 'mirrored'."
        )
    trained = {name for phase in plan.phases for name in phase.trainable_blocks}
    graphs = [
        block.name
        for block in blocks
        if block.name in trained and any(_holds_graph(layer) for layer in block.layers)
    ]
    if graphs:
        raise ConfigError(
            f"The plan trains {', '.join(graphs)}, a SavedModel, whose graph holds the"
            " variables of one device, and config.distribution is"
            f" '{distribution.kind}'. Use config.strategy='head_only',"
            " config.distribution='none', or another backbone."
        )
    trains = [phase.name for phase in plan.phases if phase.batchnorm == "trained"]
    with_statistics = [
        block.name
        for block in blocks
        if batchnorm_layers(block)
        or any(isinstance(layer, KeepsStatistics) for layer in block.layers)
    ]
    if trains and with_statistics:
        raise ConfigError(
            f"Phase '{trains[0]}' trains BatchNorm (in {', '.join(with_statistics[:3])}"
            f"), and config.distribution '{distribution.kind}' cannot: statistics would"
            " be those of a part of each batch. Use finetune.batchnorm='frozen' or"
            " 'reestimated' (strategy 'scratch' always trains it), or"
            " config.distribution='none'."
        )


def _holds_graph(layer: keras.Layer) -> bool:
    return any(isinstance(inner, SavedModelLayer) for inner in layers_inside(layer))


def _fitting(config: RunConfig, distribution: Distribution) -> Distribution:
    """The same distribution, if it can do what else the config asks for."""
    kind, replicas = distribution.kind, distribution.replicas
    size, workers = config.batch_size, distribution.workers.size
    if size % replicas:
        lower, upper = size // replicas * replicas, -(-size // replicas) * replicas
        near = f"{lower} or {upper}" if lower else f"{upper}"
        raise ConfigError(
            f"config.batch_size is {size}, and each of {replicas} replicas"
            f" (config.distribution '{kind}') takes as many examples of a batch:"
            f" set config.batch_size to {near}."
        )
    if config.finetune.find_learning_rate:
        raise ConfigError(
            "config.finetune.find_learning_rate tries rates on one device, and"
            f" config.distribution is '{kind}'. Find the rate with 'none' first,"
            " and set config.finetune.learning_rate."
        )
    if config.profile:
        raise ConfigError(
            "config.profile is of steps on one device, and config.distribution is"
            f" '{kind}'. Use config.distribution='none' with it."
        )
    if config.precision == "mixed_float16":
        raise ConfigError(
            "config.precision 'mixed_float16' scales the loss step by step, which"
            f" config.distribution '{kind}' does not do. Use 'mixed_bfloat16'."
        )
    mixes = config.augment.strength != "none"
    if workers > 1 and mixes and size // workers % 2:
        raise ConfigError(
            f"Images are mixed in pairs, and each of {workers} workers would read"
            f" {size // workers} of a batch. Set config.batch_size to a multiple of"
            f" {2 * workers}, or config.augment.strength to 'none'."
        )
    _logger.info("distribution: %s, %d replicas", kind, replicas)
    return distribution


def _gpus() -> int:
    return len(tf.config.list_physical_devices("GPU"))


# One strategy for a process: TensorFlow does not take a second one.
@functools.cache
def _mirrored() -> Distribution:
    gpus = tf.config.list_logical_devices("GPU")
    devices = gpus or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise ConfigError(
            f"config.distribution is 'mirrored', and this machine has one device,"
            f" {devices[0].name}. Use 'none', or 'auto', which takes several where they"
            " are."
        )
    names = [device.name for device in devices]
    return Distribution("mirrored", tf.distribute.MirroredStrategy(names))


@functools.cache
def _workers(cluster: Cluster) -> Distribution:
    count = len(cluster.addresses)
    _logger.info("%s of %d waits for the others", cluster.name_of(cluster.index), count)
    try:
        with lost_workers_named():
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise ConfigError(
            "Workers have to find each other before TensorFlow computes anything, and"
            f" in this process it has already. Start the run in a new one. ({error})"
        ) from error
    except tf.errors.UnknownError as error:
        raise ConfigError(
            f"{cluster.addresses[cluster.index]}, which {VARIABLE} gives to"
            f" {cluster.name_of(cluster.index)}, cannot be listened on here"
            f" ({str(error).splitlines()[0]}). Free the port, or name another one on"
            " all workers."
        ) from error
    return Distribution("workers", strategy, Workers(strategy, cluster))


@functools.cache
def _tpu() -> Distribution:
    name = os.environ.get("TPU_NAME", "local")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        if name != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        strategy = tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise ConfigError(
            f"config.distribution is 'tpu', and no TPU was found as '{name}'"
            f" ({str(error).splitlines()[0][:200]}). Run this on a TPU VM with"
            " tensorflow-tpu installed, or set TPU_NAME to the name of one."
        ) from error
    return Distribution("tpu", strategy)
