"""The pipeline: from a dataset reference and a backbone to a served artifact.

Importing this imports no TensorFlow; running or loading something does.
"""

from pipelines.runtime import working_folder

# First, because a file in the current folder could have the name of any other module.
if working_folder.is_module_run():
    working_folder.import_nothing_from_here()

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import zoo

working_folder.refuse_strangers("zoo", zoo.__file__)

from pipelines.runtime.caller_state import preserved, started  # noqa: E402 - of ours, that is sure now

if TYPE_CHECKING:
    import keras

    from pipelines.classes.publish import ClassChange
    from pipelines.comparison.compare import Comparison
    from pipelines.config import RunConfig
    from pipelines.planning.backbones.ranking import Ranking
    from pipelines.runs.result import Run
    from pipelines.runs.search_result import Search
    from pipelines.serving.predictor import Predictor
    from zoo.spec import BackboneSpec


def fine_tune(
    data: object,
    *,
    backbone: str = "",
    workdir: str | Path,
    seed: int = 0,
    **fields: object,
) -> "Run":
    """Fine-tunes a backbone on labelled data, and leaves an artifact in `workdir`.

    `data` is a reference such as `dir:photos`; or arrays `(x, y)` or
    `(x, y, sample_weight)`, a table of pandas or Polars, a `tf.data.Dataset`, a data
    set of Hugging Face, a list of `(path, label)`, or a dict of splits with these. Then
    `image`, `text`, `label`, `group`, `split` and `weight` name columns of a table, and
    `validation=0.2` and other options of a reference are keywords. The same data in
    another form give the same run.

    Without a `backbone` it is the default for images, texts or series. `fields` are any
    others of `pipelines.config.RunConfig`, such as `strategy="full"`,
    `input_size_px=160` or `head={"dropout": 0.2}`.

    >>> run = fine_tune(
    ...     "builtin:digits?limit=120",
    ...     backbone="tiny_image",
    ...     weights="none",
    ...     strategy="head_only",
    ...     workdir="runs/digits",
    ... )
    >>> run.report["test"]["examples"]
    20

    Raises:
        ConfigError, DataError, BackboneError, TrainingError, ArtifactError: with a
            sentence that says what to do.
    """
    with preserved(shows_stages=True):
        from pipelines.run import run

        fields |= {"backbone": backbone, "workdir": str(workdir), "seed": seed}
        with _configured(data, fields) as config:
            return run(config)


def tune(
    data: object,
    *,
    backbone: str = "",
    workdir: str | Path,
    trials: int = 20,
    time_budget_seconds: float = 0.0,
    seed: int = 0,
    **fields: object,
) -> "Search":
    """Tries several ways to fine-tune, and writes the best as a config file.

    `data` is as for `fine_tune`. Trials are compared on validation; fields that are set
    are not searched. The same call resumes an interrupted search. Needs the extra
    `tune`.

    Raises:
        ConfigError, DataError, BackboneError, TrainingError: with a sentence that says
            what to do.
    """
    with preserved(shows_stages=True):
        from pipelines.search import search

        fields |= {"backbone": backbone, "workdir": str(workdir), "seed": seed}
        with _configured(data, fields) as config:
            return search(
                config, trials=trials, time_budget_seconds=time_budget_seconds
            )


@contextlib.contextmanager
def _configured(data: object, fields: Mapping[str, object]) -> Iterator["RunConfig"]:
    """Inside, the config of a call has what was passed as its data."""
    from pipelines import config as configs
    from pipelines.data.in_memory.referenced import referenced

    with referenced(data, fields) as (reference, others):
        yield configs.from_fields({"data": reference, **others})


def rank(
    data: object,
    *,
    backbones: str = "*",
    seed: int = 0,
    problem: str = "auto",
    **options: object,
) -> "Ranking":
    """Ranks the backbones with weights on this machine by a probe on data.

    `data` and its `options` are as for `fine_tune`. `backbones` is a pattern such as
    `efficientnet*`, and `problem` the kind of labels, as `config.problem`. Nothing is
    downloaded or trained.

    Raises:
        ConfigError, DataError, BackboneError: with a sentence that says what to do.
    """
    with preserved(shows_stages=True):
        from pipelines import ranking
        from pipelines.config.schema import refuse_unknown
        from pipelines.data.in_memory.referenced import referenced

        with referenced(data, options) as (reference, others):
            refuse_unknown(others, ("backbones", "seed", "problem"))
            return ranking.rank(
                reference, backbones=backbones, seed=seed, problem=problem
            )


def publish(workdir: str | Path, *, name: str) -> "BackboneSpec":
    """Makes the trained backbone of a finished run a row of your own registry.

    Then `name` is a backbone like any other: `fine_tune(..., backbone=name)`. The same
    network lies beside it as a reusable SavedModel.

    Raises:
        ConfigError: if there is no finished run.
        BackboneError: if the name is taken or cannot be one.
    """
    with preserved():
        from pipelines.stages import publish as keep

        return keep.publish(Path(workdir), name=name)


def add_class(workdir: str | Path, *, name: str, data: str) -> "ClassChange":
    """Adds a class to a finished run, and publishes the next version of its artifact.

    `data` holds the examples of the new class, such as `dir:wolf`. The head is fitted
    in closed form to the features of all examples, old and new, as if the class had
    been there from the beginning; no old image is read where the run kept its features,
    and the blocks stay as they are.

    Raises:
        ConfigError, DataError, BackboneError, ArtifactError: with a sentence that says
            what to do; the run is as it was then.
    """
    with preserved(shows_stages=True):
        from pipelines.classes import update

        return update.add_class(Path(workdir), name=name, data=data)


def compare(*runs: str | Path) -> "Comparison":
    """Finished runs side by side on the test examples that they share.

    `runs` are two run folders or more; all are compared with the first, by McNemar's
    exact test for accuracy and the paired bootstrap for other measures, with Holm's
    correction. Imports no TensorFlow.

    Raises:
        ConfigError: if a folder holds no finished run with predictions, or the runs
            share no test example.
    """
    from pipelines.comparison import compare as comparing

    return comparing.compare([Path(run) for run in runs])


def load_model(path: str | Path) -> "keras.Model":
    """The trained classifier as a plain Keras model, from raw inputs to logits.

    `path` is a run folder or an artifact that was made with `config.export.keras`, or
    a file that `run.save` wrote. The model trains on with `compile` and `fit`.

    Raises:
        ArtifactError: if there is no Keras model, or not the one that was published.
    """
    with started():
        from pipelines.formats import keras_file

        return keras_file.load(Path(path))


def load(artifact_dir: str | Path) -> "Predictor":
    """A published artifact, verified against its manifest and ready to predict.

    >>> predictor = load("runs/digits/artifact")
    >>> predictor.modality
    'image'

    Raises:
        ArtifactError: if it is not an artifact, or not what was published.
    """
    with started():
        from pipelines.serving import predictor

        return predictor.load(artifact_dir)
