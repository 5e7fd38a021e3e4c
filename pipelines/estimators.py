"""Estimators of scikit-learn around a run, for its pipelines and searches."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError
from pipelines.serving.examples.sounds import sound_bytes


class _Estimator(BaseEstimator):
    """The parameters that all estimators share, and the run behind `fit`."""

    _problem = ""
    _modality = ""

    def __init__(
        self,
        backbone: str = "",
        *,
        strategy: str = "auto",
        effort: str = "minutes",
        validation: float = 0.15,
        test: float = 0.1,
        seed: int = 0,
        workdir: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        self.backbone = backbone
        self.strategy = strategy
        self.effort = effort
        self.validation = validation
        self.test = test
        self.seed = seed
        self.workdir = workdir
        self.fields = fields

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803
        """Fine-tunes on `X` and `y`; shares of them are held out for decisions.

        Raises:
            ConfigError, DataError, BackboneError, TrainingError, ArtifactError: as
                `zootune.fine_tune`.
        """
        import pipelines

        y = np.asarray(y)
        self._folder = None
        workdir = self.workdir
        if workdir is None:
            self._folder = tempfile.TemporaryDirectory(prefix="zootune_")
            workdir = str(Path(self._folder.name) / "run")
        data, options = self._data(X, self._labels(y), sample_weight, Path(workdir))
        run = pipelines.fine_tune(
            data,
            backbone=self.backbone,
            workdir=workdir,
            seed=self.seed,
            strategy=self.strategy,
            effort=self.effort,
            problem=self._problem,
            **options,
            **(self.fields or {}),
        )
        self.report_ = run.report
        self.artifact_dir_ = str(run.artifact_dir)
        self._predictor: Any = None
        return self

    def _labels(self, y: np.ndarray) -> np.ndarray:
        return y

    def _data(
        self, examples: Any, labels: np.ndarray, weights: Any, workdir: Path
    ) -> tuple[Any, dict[str, Any]]:
        """What `fine_tune` takes for examples, and options that belong to it."""
        more = () if weights is None else (weights,)
        shares = {"validation": self.validation, "test": self.test}
        return (examples, labels, *more), shares

    def _outputs(self, examples: Any) -> list[Any]:
        """The predictions of the artifact, which is loaded when it is asked first.

        Raises:
            DataError: if an example is not valid.
        """
        import pipelines

        check_is_fitted(self, "artifact_dir_")
        if self._predictor is None:
            self._predictor = pipelines.load(self.artifact_dir_)
        if self._modality == "series":
            examples = [_with_channels(series) for series in examples]
        answers = self._predictor.predict(list(examples))
        for i, answer in enumerate(answers):
            if not answer.valid:
                raise DataError(
                    f"Example {i} cannot be read ({answer.reason}), and an estimator"
                    " has no answer for it. Take it out."
                )
        return answers

    def __getstate__(self) -> dict[str, Any]:
        # A copy loads the artifact by its path.
        state = dict(super().__getstate__())
        return state | {"_predictor": None, "_folder": None}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self._modality == "series"
        tags.input_tags.three_d_array = True
        tags.input_tags.string = self._modality == "text"
        tags.input_tags.allow_nan = self._modality == "series"
        tags.no_validation = True
        return tags


def _with_channels(series: Any) -> np.ndarray:
    """A series `[steps, channels]`, also of `[steps]`."""
    values = np.asarray(series, np.float32)
    return values if values.ndim > 1 else values[:, np.newaxis]


class _Classifier(ClassifierMixin, _Estimator):
    _problem = "single_label"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803
        """Fine-tunes a classifier; `classes_` are the labels in order.

        Raises:
            ConfigError, DataError, BackboneError, TrainingError, ArtifactError: as
                `zootune.fine_tune`.
        """
        self.classes_ = np.unique(np.asarray(y))
        return super().fit(X, y, sample_weight)

    def _labels(self, y: np.ndarray) -> np.ndarray:
        # Their places as names: whatever the labels are, they come back as they were.
        return np.searchsorted(self.classes_, y)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The label of each example, `[n]`, of the type that `y` had."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Calibrated probabilities, float64 `[n, classes]`, in order of `classes_`."""
        answers = self._outputs(X)
        names = [str(i) for i in range(len(self.classes_))]
        rows = [[answer.probabilities[name] for name in names] for answer in answers]
        # Rounded to float32, rows sum to 1 within 1e-6 or so.
        values = np.array(rows, np.float64).reshape(-1, len(names))
        return values / values.sum(axis=1, keepdims=True)


class _Regressor(RegressorMixin, _Estimator):
    _problem = "regression"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803
        """Fine-tunes a model of one number, or of several.

        Raises:
            ConfigError, DataError, BackboneError, TrainingError, ArtifactError: as
                `zootune.fine_tune`.
        """
        self._is_flat = np.ndim(y) == 1
        return super().fit(X, y, sample_weight)

    def _labels(self, y: np.ndarray) -> np.ndarray:
        return y.astype(np.float32)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The numbers of each example, float64 `[n]` or `[n, targets]`, as `y` was."""
        rows = [list(answer.values.values()) for answer in self._outputs(X)]
        values = np.array(rows, np.float64)
        return values[:, 0] if self._is_flat else values


class ImageClassifier(_Classifier):
    """A classifier of images, uint8 `[n, h, w, 3]`, or paths, or encoded bytes.

    `fields` are others of a config, as of `zootune.fine_tune`; `validation` and `test`
    the shares that are held out, to decide by and to report. Without a `workdir` the
    run folder is temporary, and a pickled copy lasts as long as this object.
    """

    _modality = "image"


class TextClassifier(_Classifier):
    """A classifier of texts, strings `[n]`; parameters as of `ImageClassifier`."""

    _modality = "text"


class SeriesClassifier(_Classifier):
    """A classifier of series, floats `[n, steps]` or `[n, steps, channels]`.

    Parameters as of `ImageClassifier`.
    """

    _modality = "series"


class SoundClassifier(_Classifier):
    """A classifier of sounds: paths of WAV files, their bytes, or open files, `[n]`.

    Parameters as of `ImageClassifier`. The files that are fitted to are copied beside
    the run folder, into one that is named after it and ends in `_sounds`.
    """

    _modality = "sound"

    def _data(
        self, examples: Any, labels: np.ndarray, weights: Any, workdir: Path
    ) -> tuple[Any, dict[str, Any]]:
        sounds = [sound_bytes(sound) for sound in examples]
        columns = {"label": labels, **({} if weights is None else {"weight": weights})}
        for name, column in columns.items():
            if len(column) != len(sounds):
                raise DataError(
                    f"There are {len(sounds)} sounds, and {len(column)} values of"
                    f" {name}: one value for each of the sounds is needed."
                )
        folder = workdir.with_name(f"{workdir.name}_sounds")
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for i, (content, *values) in enumerate(zip(sounds, *columns.values())):
            name = f"{i:06d}.wav"
            (folder / name).write_bytes(content)
            rows.append([name, *values])
        with (folder / "sounds.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([["sound", *columns], *rows])
        location = str(folder / "sounds.csv")
        reference = DatasetRef(
            "csv",
            location,
            validation=self.validation,
            test=self.test,
            weight=None if weights is None else "weight",
        )
        return str(reference), {}


class ImageRegressor(_Regressor):
    """Numbers from images; parameters and images as of `ImageClassifier`."""

    _modality = "image"


class TextRegressor(_Regressor):
    """Numbers from texts, strings `[n]`; parameters as of `ImageClassifier`."""

    _modality = "text"


class SeriesRegressor(_Regressor):
    """Numbers from series; parameters and series as of `SeriesClassifier`."""

    _modality = "series"
