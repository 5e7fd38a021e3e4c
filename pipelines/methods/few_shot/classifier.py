"""A classifier of classes with a few examples each, which come and go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from pipelines.data.splits import Inputs
from pipelines.errors import ConfigError, DataError
from pipelines.methods.few_shot import saved
from pipelines.methods.few_shot.choice import AUTO, CHOICES, Chosen, choose
from pipelines.methods.few_shot.examples import (
    Labelled,
    content_of,
    labelled,
    of_class,
    unlabelled,
)
from pipelines.methods.few_shot.features import FeatureSource, Source
from pipelines.methods.few_shot.kept import ClassRows, Kept, by_class
from pipelines.methods.few_shot.vectors import Normalization, normalization
from pipelines.runtime.caller_state import preserved
from pipelines.serving.artifact import Artifact

# Examples that an export is proved with.
_PROOF_EXAMPLES = 16


class FewShotClassifier(ClassifierMixin, BaseEstimator):
    """A classifier for a few examples of each class; classes come and go in a moment.

    A frozen backbone gives features, and a linear `head` is solved from them:
    `centroid`, `lda`, `ridge` or `logistic`; `auto` takes the one that answers best for
    examples left out of `fit`, and keeps it. With `reads="all"` the averages over all
    blocks are read. The features of all examples are kept, and nothing else of them:
    after `add_class`, `remove_class` and `forget` the head is the one of a new `fit`.

    `base` are other labelled data of the domain: features are taken around their mean,
    in units of their deviation. Without it the mean of the examples themselves serves.

    >>> shots = FewShotClassifier("tiny_image", weights="none", head="centroid")
    >>> shots.fit("builtin:digits?limit=50").predict("builtin:digits?limit=50").shape
    (50,)
    """

    _source: FeatureSource | None = None
    _proof: Inputs | None = None
    _proof_contents = np.zeros(0, "S64")

    def __init__(
        self,
        backbone: str = "",
        *,
        head: str = AUTO,
        reads: str = "last",
        base: Any = None,
        weights: str = "default",
        input_size_px: int = 0,
        seed: int = 0,
    ) -> None:
        self.backbone = backbone
        self.head = head
        self.reads = reads
        self.base = base
        self.weights = weights
        self.input_size_px = input_size_px
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> FewShotClassifier:  # noqa: N803
        """Learns the classes of labelled examples, and forgets any from before.

        `X` are examples with labels `y`, or without `y` a reference or data as of
        `zootune.fine_tune`.

        Raises:
            ConfigError, DataError, BackboneError: with a sentence that says what to do.
        """
        if self.head not in CHOICES:
            raise ConfigError(
                f"head is {self.head!r}; allowed: {', '.join(CHOICES)}. Use 'auto' to"
                " let examples that are left out decide."
            )
        with preserved(), labelled(X if y is None else (X, y)) as data:
            if len(data.names) < 2:
                raise DataError(
                    f"{data.reference} has one class, and a classifier needs two or"
                    " more. Add examples of another class."
                )
            self._source = FeatureSource(self._settings(), data.inputs)
            features = self._source.read(data.inputs)
            self._base_normalization = self._normalization_of_base(self._source)
            kept = by_class(features, data.labels, data.names, data.contents)
            self._reference = data.reference
            self._remember(data)
            self._solve(kept, head=self.head)
        return self

    def add_class(self, name: str, images: Any) -> FewShotClassifier:
        """Adds a class from examples of it; no old example is read.

        `images` are a list, an array, or a reference such as `dir:wolf`.

        Raises:
            ConfigError: if there is a class of this name.
            DataError: if the examples cannot be used, or are in another class.
        """
        self._require_fitted()
        with preserved(), of_class(name, images) as data:
            source = self._source_for(data.inputs)
            new = ClassRows(source.read(data.inputs), np.array(data.contents, "S64"))
            kept = self._kept.added(data.names[0], new)
            self._solve(kept, head=self._chosen.name)
            self._remember(data)
        return self

    def remove_class(self, name: str) -> FewShotClassifier:
        """Removes a class and all of its examples.

        Raises:
            ConfigError: if it is unknown, or one of two.
        """
        self._require_fitted()
        self._solve(self._kept.removed(name), head=self._chosen.name)
        return self

    def forget(self, example: Any) -> FewShotClassifier:
        """Takes one example out, as if it had never been there.

        `example` has the content that was learned: a path, bytes, an array, or a text.

        Raises:
            DataError: if it was not learned, or is the only one of its class.
        """
        self._require_fitted()
        with preserved(), content_of(example) as content:
            self._solve(self._kept.forgotten(content), head=self._chosen.name)
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The name of the class of each example, `[n]`.

        `X` are images uint8 `[n, h, w, 3]`, a list of paths, of bytes or of texts,
        series, or a reference.

        Raises:
            DataError: if an example cannot be read.
        """
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities, float64 `[n, classes]`, in the order of `classes_`.

        Their sharpness is the one that fits examples left out best.

        Raises:
            DataError: if an example cannot be read.
        """
        self._require_fitted()
        with preserved(), unlabelled(X) as inputs:
            features = self._source_for(inputs).read(inputs)
        return softmax(self._chosen.linear.scores(self._normalize(features)), axis=1)

    def save(self, path: str | Path) -> None:
        """Writes features, settings and head to a file, for `load`.

        Raises:
            OSError: if the disk does not take it.
        """
        self._require_fitted()
        saved.save(self._state(), Path(path))

    @classmethod
    def load(cls, path: str | Path) -> FewShotClassifier:
        """The classifier that `save` wrote; its backbone is built when it is needed.

        Raises:
            ConfigError: if the file is damaged, or of another kind.
        """
        state = saved.load(Path(path))
        self = cls(
            **{**state.parameters, "base": None},
        )
        self._proof = None
        self._base_normalization = state.normalization
        self._fingerprint, self._reference = state.fingerprint, state.reference
        self._solve(state.kept, head=state.head)
        return self

    def export(self, to: str | Path, *, examples: Any = None) -> Artifact:
        """A new version under the folder `to`, for `zoo serve`, proved as of a run.

        `examples` are some to prove it with, by default some that were learned last; a
        classifier that was loaded needs them.

        Raises:
            DataError: if there are no examples to prove it with.
            ArtifactError: if the export failed; earlier versions are as they were.
        """
        from pipelines.methods.few_shot.publish import publish

        self._require_fitted()
        with preserved(shows_stages=True):
            if examples is None:
                return publish(self._state(), self._source, self._proof, Path(to))
            with unlabelled(examples) as inputs:
                some = inputs.take(_some_rows(inputs))
                source = self._source_for(some)
                return publish(self._state(), source, some, Path(to))

    @property
    def kept_bytes(self) -> int:
        """The bytes that are kept of all examples: features in float16, and hashes."""
        self._require_fitted()
        return self._kept.size_bytes

    def _settings(self) -> Source:
        return Source(
            self.backbone, self.weights, self.input_size_px, self.reads, self.seed
        )

    def _normalization_of_base(self, source: FeatureSource) -> Normalization | None:
        if self.base is None:
            return None
        with labelled(self.base) as data:
            features = source.read(data.inputs)
        return normalization(features, scaled=True)

    def _solve(self, kept: Kept, *, head: str) -> None:
        """Solves the head; all that depends on the examples changes here, at once."""
        features, labels = kept.rows()
        self._normalize = self._base_normalization or normalization(
            features, scaled=False
        )
        self._chosen: Chosen = choose(
            self._normalize(features), labels, head=head, seed=self.seed
        )
        self._kept = kept
        self.classes_ = np.array(kept.names)
        self.head_, self.reason_ = self._chosen.name, self._chosen.reason
        self._drop_unknown_proof()

    def _remember(self, data: Labelled) -> None:
        """Keeps some of the last examples, to prove an export with."""
        rows = _some_rows(data.inputs)
        self._proof = data.inputs.take(rows)
        self._proof_contents = np.array(data.contents, "S64")[rows]

    def _drop_unknown_proof(self) -> None:
        """Keeps no example that was forgotten, or that is of a removed class."""
        if self._proof is None:
            return
        known = [rows.contents for rows in self._kept.classes.values()]
        stays = np.flatnonzero(np.isin(self._proof_contents, np.concatenate(known)))
        self._proof = self._proof.take(stays) if len(stays) else None
        self._proof_contents = self._proof_contents[stays]

    def _source_for(self, inputs: Inputs) -> FeatureSource:
        """The backbone, built anew after `load`."""
        if self._source is None:
            source = FeatureSource(self._settings(), inputs)
            if source.fingerprint != self._fingerprint:
                raise ConfigError(
                    f"The weights of '{source.base.spec.name}' are other ones than"
                    " read the features of this classifier. Put the others back, or"
                    " fit it again."
                )
            self._source = source
        if inputs.modality != self._source.base.spec.modality:
            raise DataError(
                f"The examples are of the kind {inputs.modality}, and the classifier"
                f" knows {self._source.base.spec.modality}. Pass examples of its kind."
            )
        return self._source

    def _require_fitted(self) -> None:
        check_is_fitted(self, "classes_")

    def _state(self) -> saved.State:
        fingerprint = (
            self._fingerprint if self._source is None else self._source.fingerprint
        )
        return saved.State(
            parameters={**self.get_params(), "base": None},
            head=self._chosen.name,
            fingerprint=fingerprint,
            reference=self._reference,
            normalization=self._base_normalization,
            kept=self._kept,
            chosen=self._chosen,
            normalize=self._normalize,
        )


def _some_rows(inputs: Inputs) -> np.ndarray:
    rows = np.linspace(0, len(inputs) - 1, min(_PROOF_EXAMPLES, len(inputs)))
    return rows.astype(np.int64)
