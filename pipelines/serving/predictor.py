"""Predictions from an artifact on disk, with TensorFlow and nothing else of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

from pipelines.errors import ArtifactError, DataError
from pipelines.serving import forks
from pipelines.serving.artifact import Artifact, open_verified
from pipelines.serving.examples.faults import why_not_valid
from pipelines.serving.examples.images import pixels
from pipelines.serving.examples.inputs import (
    SERIES,
    TABLE,
    InputSpec,
    as_inputs,
    as_list,
    refuse_one_array,
)
from pipelines.serving.examples.rows import stacked
from pipelines.serving.graph_ops import import_ops
from pipelines.serving.loading import load_saved_model
from pipelines.serving.naming import DEFAULT, FEATURES, STREAM
from pipelines.serving.prediction import AnyPrediction, from_outputs
from pipelines.serving.server.scan import ops
from pipelines.serving.training_data.neighbours import Neighbour, NeighbourIndex
from pipelines.serving.training_data.neighbours import load as load_index
from pipelines.serving.training_data.prior import shares_of, trained_shares, with_prior

_BATCH_SIZE = 32


class Predictor:
    """A loaded artifact. Make one with `load`."""

    def __init__(self, artifact: Artifact) -> None:
        forks.refuse_after_fork()
        self.artifact = artifact
        for module in artifact.manifest.preprocessing.get("requires", ()):
            import_ops(module, artifact.path)
        ops.harmless_graph(artifact.path)
        # Kept, because a signature alone does not keep its variables alive.
        self.saved_model = _loaded(artifact.path)
        self._takes = _takes_of(self.saved_model.signatures)
        self._index: NeighbourIndex | None = None

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A predictor holds TensorFlow's model and cannot be pickled or copied; pass"
            f" its path, {str(self.artifact.path)!r}, and load it there:"
            " pipelines.load(path)."
        )

    @property
    def modality(self) -> str:
        """`image`, `text`, `series` or `table`."""
        return self.artifact.manifest.preprocessing["modality"]

    def predict(
        self, examples: Any, *, prior: Mapping[str, float] | None = None
    ) -> list[AnyPrediction]:
        """A prediction for each of several examples, in order.

        An example is an image (encoded as JPEG, PNG, GIF, BMP or WebP, its path, an
        open file, a Pillow image, or an array of uint8 `[height, width, 3]`); a text;
        a series, `[steps, channels]` of any numbers; or a row of a table, a dictionary
        by the names of its columns, with None for a missing value.

        With a `prior`, the share of each class by name where the examples are from,
        probabilities and what follows from them are those for these shares, in place of
        the shares of validation. `zoo drift` estimates a prior.

        >>> import numpy, pipelines
        >>> predictor = pipelines.load("runs/digits/artifact")
        >>> [answer] = predictor.predict([numpy.zeros((8, 8, 3), numpy.uint8)])
        >>> answer.valid, answer.label in "0123456789"
        (True, True)

        Raises:
            DataError: for a single example, and for one of another kind.
            ArtifactError: if a series has another shape than the artifact takes.
        """
        names, predictions = self.artifact.manifest.class_names, []
        for batch in self._batches(examples):
            outputs = self._run(DEFAULT, batch)
            for i, example in enumerate(batch):
                row = {name: values[i] for name, values in outputs.items()}
                reason = "" if row["valid"] else why_not_valid(example, self._takes)
                predictions.append(from_outputs(row, names, reason=reason))
        return predictions if prior is None else self._reweighted(predictions, prior)

    def _reweighted(
        self, predictions: Sequence[Any], prior: Mapping[str, float]
    ) -> list[AnyPrediction]:
        manifest = self.artifact.manifest
        trained = trained_shares(manifest)
        shares = shares_of(prior, manifest.class_names)
        return [with_prior(row, manifest, trained, shares) for row in predictions]

    def features(self, examples: Any) -> np.ndarray:
        """The vector that the head reads of each example, float32 `[examples, width]`.

        They are in order, and zeros where an example is not valid. Examples are as for
        `predict`.

        Raises:
            DataError: for a single example, and for one of another kind.
            ArtifactError: if a series has another shape than the artifact takes.
        """
        # No examples are a batch too, of no rows and the right width.
        batches = list(self._batches(examples)) or [self._nothing()]
        return np.concatenate(
            [self._run(FEATURES, batch)["features"] for batch in batches]
        )

    def neighbours(self, examples: Any, k: int = 5) -> list[list[Neighbour]]:
        """The `k` training examples nearest to each of several, nearest first.

        Examples are as for `predict`; one that is not valid has none. The artifact
        needs an index of its training examples, by `config.export.neighbours`.

        Raises:
            DataError: for a single example, and for one of another kind.
            ArtifactError: if it has no index.
            ConfigError: if `k` is below 1.
        """
        if self._index is None:
            self._index = load_index(self.artifact.path)
        return self._index.nearest(self.features(examples), k)

    def stream(self, series: Any) -> dict[str, np.ndarray]:
        """How strange a series of any length is, in windows of the trained length.

        `series` is `[steps, channels]`, or `[steps]` for one channel, and NaN is a
        missing value. `anomaly_by_window` and `window_start` have a window each, which
        begin a quarter of their length apart; `anomaly_by_step` `[steps]` is the mean
        over the windows that hold a step. `anomaly_score` is the score of the strangest
        window, `anomalous` if any is over 1: `alpha` is promised of each window alone.
        `valid` is false for a series with infinity or without any value.

        Raises:
            DataError: if it is not a series of numbers with these channels.
            ArtifactError: if the artifact finds no anomalies in series.
        """
        if STREAM not in self.saved_model.signatures:
            raise ArtifactError(
                f"{self.artifact.path} has no signature {STREAM!r}: it is there where"
                " anomalies are found in series (config.problem=anomaly). Use predict."
            )
        try:
            values = np.asarray(series, np.float32)
        except (TypeError, ValueError) as error:
            raise DataError(f"A series holds numbers: {error}") from error
        values = values[:, None] if values.ndim == 1 else values
        channels = self._takes.shape[-1]
        if values.ndim != 2 or values.shape[1] != channels:
            raise DataError(
                f"A long series has the shape [steps, {channels}], for all channels of"
                f" each step; {list(values.shape)} came. Send one series at a time."
            )
        outputs = self._run(STREAM, values[None])
        return {name: value[0] for name, value in outputs.items()}

    def probabilities(self, inputs: Any) -> np.ndarray:
        """Float32 `[batch, classes]` for what the model was trained on.

        That is uint8 `[batch, size, size, 3]`, texts `[batch]`, series, or rows of a
        table as float32 `[batch, columns]`.

        Raises:
            DataError: if it is of another type or shape: nothing is cast.
            ArtifactError: if a series has another shape than the artifact takes.
        """
        outputs = self.outputs(inputs)
        if "probabilities" not in outputs:
            raise ArtifactError(
                f"{self.artifact.path} has no probabilities, but {', '.join(outputs)}."
                " Use predict, or outputs."
            )
        return outputs["probabilities"]

    def outputs(self, inputs: Any) -> dict[str, np.ndarray]:
        """All outputs of `graph` by name, for inputs as `probabilities` takes them.

        Raises as `probabilities` does.
        """
        if self.modality == "image":
            batch: Any = pixels(inputs, tuple(self.trained_on.shape))
        elif self.modality == TABLE:
            batch = np.asarray(inputs, np.float32)
        else:
            batch = as_inputs(inputs, self._takes) or self._nothing()
        return self._run(self._raw, batch)

    @property
    def graph(self) -> Any:
        """The signature behind `probabilities`: a function of a tensor by its name."""
        return self.saved_model.signatures[self._raw]

    @property
    def trained_on(self) -> tf.TensorSpec:
        """The input of `graph`, `[None, ...]`."""
        (spec,) = self.graph.structured_input_signature[1].values()
        return spec

    @property
    def _raw(self) -> str:
        return {"image": "pixels", TABLE: TABLE}.get(self.modality, DEFAULT)

    def _run(self, signature: str, inputs: Any) -> dict[str, np.ndarray]:
        forks.refuse_after_fork()
        if not tf.executing_eagerly():
            raise ArtifactError(
                "A predictor cannot answer inside of a tf.function or a tf.Graph, where"
                " nothing has a value yet. Ask it outside, or use its `graph`."
            )
        serve = self.saved_model.signatures[signature]
        specs = serve.structured_input_signature[1]
        if self._takes.columns and signature != TABLE:
            inputs = stacked(inputs, self._takes.columns)
        else:
            (name,) = specs
            inputs = {name: inputs}
        outputs = serve(
            **{
                name: tf.constant(inputs[name], spec.dtype)
                for name, spec in specs.items()
            }
        )
        return {name: value.numpy() for name, value in outputs.items()}

    def _batches(self, examples: Any) -> Iterator[list[Any]]:
        """The examples as a signature takes them, some at a time."""
        items = as_list(examples, self._takes.word)
        refuse_one_array(examples, self._takes)
        for start in range(0, len(items), _BATCH_SIZE):
            yield as_inputs(items[start : start + _BATCH_SIZE], self._takes)

    def _nothing(self) -> Any:
        """A batch of no examples."""
        if self._takes.name == SERIES:
            return np.zeros([0, *self._takes.shape], np.float32)
        return []


def _takes_of(signatures: Mapping[str, Any]) -> InputSpec:
    """The input of the default signature."""
    specs = signatures[DEFAULT].structured_input_signature[1]
    if TABLE in signatures:
        return InputSpec.of_table({n: spec.dtype.name for n, spec in specs.items()})
    (spec,) = specs.values()
    return InputSpec(spec.name, spec.dtype.name, tuple(spec.shape.as_list()[1:]))


def _loaded(folder: Path) -> Any:
    """A SavedModel, loaded as it is whatever surrounds the call.

    A scope of a strategy, a graph, a device or a name belongs to one thread. Inside of
    one, TensorFlow would make other variables than those of the SavedModel.
    """
    with ThreadPoolExecutor(1, "load") as thread:
        return thread.submit(load_saved_model, folder).result()


def load(folder: str | Path) -> Predictor:
    """An artifact, verified against its manifest and ready to predict.

    `folder` is a version, or a base folder, whose newest version is taken. A
    SavedModel is a program: load artifacts from people you trust.

    Raises:
        ArtifactError: if it is not an artifact, or not what was published, or has ops
            that reach outside of it, or if a module that it requires is not installed.
    """
    return Predictor(open_verified(Path(folder)))
