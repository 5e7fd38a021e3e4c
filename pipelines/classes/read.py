"""Features as the head of a run reads them, of images that were not kept."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from pipelines.classes.finished import FinishedRun
from pipelines.classes.served import served_features
from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.input.batches import batches
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Split
from pipelines.errors import ConfigError, DataError
from pipelines.features import kept_features
from pipelines.features.block_vectors import vectors_of
from pipelines.features.extract import Reader, in_precision
from pipelines.features.kept_features import KeptFeatures, KeptSplit, split_with
from pipelines.features.views import other_views
from pipelines.probing.rows import of_every_class
from pipelines.runtime.clock import Ticker
from pipelines.stages.measure import MOST_READ
from pipelines.stages.predictions import example_names
from zoo.builder import Backbone

_logger = logging.getLogger("zootune")


class FeatureReader:
    """Reads what the head of a run reads, with the backbone that the run trained.

    `base` gives that backbone, and is not called before something is read by it.
    """

    def __init__(self, run: FinishedRun, base: Callable[[], Backbone]) -> None:
        self._run, self._trained = run, base

    @functools.cached_property
    def _base(self) -> Backbone:
        return self._trained()

    @functools.cached_property
    def _outputs(self) -> list[keras.KerasTensor]:
        outputs, head = vectors_of(self._base), self._run.plan.head
        return [outputs[name, head.grid] for name in head.reads]

    @functools.cached_property
    def _reader(self) -> Reader:
        return Reader(keras.Model(self._base.model.input, self._outputs))

    @property
    def widths(self) -> tuple[int, ...]:
        """The width of each block that the head reads."""
        return tuple(int(output.shape[-1]) for output in self._outputs)

    def read(
        self, split: Split, *, views: int = 1, rows: np.ndarray | None = None
    ) -> KeptSplit:
        """The features of a split, or of some rows of it, in this number of views.

        Of training and validation in float16, as a run measures them.

        Raises:
            DataError: naming files that have changed since they were checked.
        """
        some = split if rows is None else split.take(rows)
        dtype = np.float32 if split.name == "test" else np.float16
        features = np.zeros((0, sum(self.widths)), dtype)
        if len(some):
            with broken_files_named(some):
                features = self._features(some, views, dtype)
        names = example_names(split, DatasetRef.parse(self._run.config.data))
        return split_with(split, features, names, rows=rows)

    def read_together(
        self, splits: Mapping[str, Split], *, views: int
    ) -> dict[str, KeptSplit]:
        """The features of a few examples in splits by name, as `read` gives them.

        Of training in this number of views. With one view by the artifact of the run,
        if that can, and else by the network.

        Raises:
            DataError: naming files that have changed since they were checked.
        """
        read = served_features(self._run, splits) if views == 1 else None
        if read is None:
            read = self._in_one_pass(splits, views=views)
        return {name: self._kept(split, read[name]) for name, split in splits.items()}

    def _in_one_pass(
        self, splits: Mapping[str, Split], *, views: int
    ) -> dict[str, np.ndarray]:
        """By the network; to begin another pass costs as much as a hundred images."""
        counts = {
            name: views if name == "train" else 1
            for name, split in splits.items()
            if len(split)
        }
        features = np.zeros((0, sum(self.widths)), np.float32)
        if counts:
            parts = [splits[name] for name in counts]
            with broken_files_named(*parts):
                streams = [self._views(splits[name], n) for name, n in counts.items()]
                total = sum(n * len(splits[name]) for name, n in counts.items())
                features = self._passed(streams, Ticker("features", total), np.float32)
        ends = np.cumsum([n * len(splits[name]) for name, n in counts.items()])
        read = dict(zip(counts, np.split(features, ends)))
        return {name: read.get(name, features[:0]) for name in splits}

    def _kept(self, split: Split, features: np.ndarray) -> KeptSplit:
        names = example_names(split, DatasetRef.parse(self._run.config.data))
        dtype = np.float32 if split.name == "test" else np.float16
        return split_with(split, in_precision(features, dtype), names)

    def _features(
        self, split: Split, views: int, dtype: type[np.floating]
    ) -> np.ndarray:
        tick = Ticker(f"features of {split.name}", views * len(split))
        return self._passed([self._views(split, views)], tick, dtype)

    def _views(self, split: Split, views: int) -> tf.data.Dataset:
        """Every view of a split, view after view."""
        size, config = self._base.input_size_px, self._run.config
        read = batches(split, input_size_px=size, batch_size=self._run.plan.batch_size)
        if views == 1:
            return read
        others = other_views(split, config, views=views, input_size_px=size)
        return read.concatenate(others)

    def _passed(
        self,
        streams: Sequence[tf.data.Dataset],
        tick: Ticker,
        dtype: type[np.floating],
    ) -> np.ndarray:
        """The features of streams, one after the other, `[examples, width]`."""
        read, *others = streams
        for other in others:
            read = read.concatenate(other)
        parts = self._reader.extract(read, dtype=dtype, on_progress=tick)
        return np.concatenate(parts, axis=1)


def kept_or_read(run: FinishedRun, reader: FeatureReader) -> KeptFeatures:
    """The features that the run kept; read from its images if it kept none.

    Raises:
        ConfigError: if the kept ones are damaged, or of another backbone.
        DataError: if the images are needed, and are not those of the run.
    """
    run.settle_features(run.report["class_names"])
    if not run.features_path.is_file():
        return _read_again(run, reader)
    kept = kept_features.load(run.features_path)
    if list(kept.class_names) != list(run.report["class_names"]):
        raise ConfigError(
            f"{run.features_path} has features of other classes than those in the"
            f" report of {run.path}, so one of the two files is of another time. Put"
            " the other back; or train again, with the classes that you want."
        )
    head = run.plan.head
    read_with = (run.backbone_sha256, head.reads, head.grid)
    if (kept.backbone, kept.reads, kept.grid) != read_with:
        raise ConfigError(
            f"{run.features_path} has features of another backbone than the one that"
            f" the report of {run.path} names. Delete this file, and the images of the"
            " run are read again."
        )
    return kept


def _read_again(run: FinishedRun, reader: FeatureReader) -> KeptFeatures:
    if run.report.get("changes"):
        raise ConfigError(
            f"{run.features_path} is missing, and the classes of {run.path} were"
            " changed since it was trained, so its data alone no longer make it. Put"
            " the file back, or train again with the classes that you want."
        )
    _logger.info(
        "%s kept no features, because blocks were trained or there were too many: its"
        " images are read again, once.",
        run.path,
    )
    ref = DatasetRef.parse(run.config.data)
    splits = load(ref)
    if splits.info.fingerprint != run.report["data"]["fingerprint"]:
        raise DataError(
            f"{ref} are not the data that {run.path} was trained on: their content or"
            " classes changed since. Put them back, or train again."
        )
    rows = of_every_class(splits.train.labels, count=MOST_READ, seed=run.plan.seed)
    return KeptFeatures(
        class_names=splits.info.class_names,
        reads=run.plan.head.reads,
        grid=run.plan.head.grid,
        widths=reader.widths,
        backbone=run.backbone_sha256,
        train=reader.read(splits.train, views=run.views, rows=rows),
        validation=reader.read(splits.validation),
        test=reader.read(splits.test),
    )
