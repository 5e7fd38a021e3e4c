"""The pipeline: from a dataset reference and a backbone to a served artifact.

Importing this imports no TensorFlow; running or loading something does.
"""

from pipelines.runtime import working_folder

# First, because a file in the current folder could have the name of any other module.
if working_folder.is_module_run():
    working_folder.import_nothing_from_here()

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zoo

working_folder.refuse_strangers("zoo", zoo.__file__)

from pipelines.runtime.caller_state import preserved, started  # noqa: E402 - of ours, that is sure now

if TYPE_CHECKING:
    import keras

    from pipelines.audit.audit import Audit
    from pipelines.classes.adapt import RunAdaptation
    from pipelines.classes.publish import ClassChange
    from pipelines.comparison.compare import Comparison
    from pipelines.config import RunConfig
    from pipelines.distillation.distil import Distilled
    from pipelines.planning.backbones.ranking import Ranking
    from pipelines.runs.result import Run
    from pipelines.runs.search_result import Search
    from pipelines.serving.predictor import Predictor
    from pipelines.suggestions.suggest import Suggestions
    from zoo.spec import BackboneSpec


def fine_tune(
    data: object,
    *,
    backbone: str = "",
    workdir: str | Path,
    seed: int = 0,
    callbacks: "Sequence[keras.callbacks.Callback]" = (),
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

    `callbacks` of Keras see every epoch of every phase that trains by steps; their
    `model` is what the phase trains, which is the head alone where blocks are frozen.
    `environment.json` names the classes that the run began with. A call that resumes it
    gives its own, which see the epochs that are left.

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
            return run(config, callbacks=callbacks)


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


def check(data: object, *, problem: str = "auto", **options: object) -> "Audit":
    """Inspects data as `zoo check` does; the result prints as its table.

    `data`, its `options` and `problem` are as for `rank`. What is wrong with single
    files is a finding, and no error.

    Raises:
        ConfigError: for an option that does not exist.
        DataError: if the data cannot be listed.
    """
    with preserved(shows_stages=True):
        from pipelines.audit.audit import audit
        from pipelines.config import RunConfig, checked
        from pipelines.config.schema import refuse_unknown
        from pipelines.data.in_memory.referenced import referenced
        from pipelines.data.reference import DatasetRef

        with referenced(data, options) as (reference, others):
            refuse_unknown(others, ("problem",))
            asked = RunConfig(data=reference, problem=problem)
            config = checked(asked, writes=False)
            return audit(DatasetRef.parse(config.data), problem=config.problem)


def evaluate(artifact_dir: str | Path, data: str, *, split: str = "auto") -> Any:
    """The report of an artifact on labelled data, as `zoo evaluate` makes it.

    `data` is a reference. `split` is `train`, `validation`, `test`, `all`, or `auto`:
    the test split of the data that the artifact was trained on, all of other data. The
    fields of the report depend on the kind of labels.

    Raises:
        ConfigError: for another split.
        DataError: if the data have a class that the artifact does not know, or labels
            of another kind.
        ArtifactError: if it is not an artifact, or not what was published.
    """
    with preserved():
        from pipelines.serving import predictor
        from pipelines.stages.evaluate import evaluate_artifact

        return evaluate_artifact(predictor.load(artifact_dir), data, split=split)


def suggest(run: str | Path, data: str, *, n: int = 50) -> "Suggestions":
    """The `n` examples without labels that are worth a label most.

    `run` is a run folder, or an artifact. `data` is a folder of files, with class
    folders or without, or a table.

    Raises:
        ConfigError: if `n` is below 1, or the run is of another kind of problem.
        DataError: if the data have no example that can be read.
        ArtifactError: if there is no artifact, or not what was published.
    """
    with preserved(shows_stages=True):
        from pipelines.suggestions.suggest import suggest as suggested

        return suggested(Path(run), data, count=n)


def adapt(workdir: str | Path, *, target: str, method: str = "auto") -> "RunAdaptation":
    """Adapts the head of a finished run to unlabelled examples of another domain.

    `method` is as for `zoo adapt`. With `auto` the target is measured, and nothing is
    published.

    Raises:
        ConfigError: if the run is not finished, its head is not linear, or the method
            needs the images of the source.
        DataError: if the target cannot be adapted to.
        ArtifactError: if the export failed; the run is as it was then.
    """
    with preserved(shows_stages=True):
        from pipelines.classes.adapt import adapt_run

        return adapt_run(Path(workdir), target=target, method=method)


def distil(
    run: str | Path,
    *,
    backbone: str,
    workdir: str | Path,
    data: object = None,
    unlabelled: str = "",
    temperature: float = 2.0,
    weight: float = 0.9,
    **fields: object,
) -> "Distilled":
    """Trains a student on the calibrated answers of a finished run, and alone.

    `run` is the folder of the teacher, `unlabelled` a reference of more examples for it
    to answer, `weight` its share in the loss, and `temperature` the one of both there.
    `data` are the teacher's unless they have moved; `fields` are others of the student,
    as for `fine_tune`. `workdir` gets both runs, and the student that is better on
    validation is kept.

    Raises:
        ConfigError: if the teacher has not finished, or is not the larger network.
        DataError: if it was trained on other data, or unlabelled examples are held out.
        BackboneError, TrainingError, ArtifactError: as for `fine_tune`.
    """
    with preserved(shows_stages=True):
        from pipelines.distillation.distil import distil as distilled
        from pipelines.stages.distillation.finished import finished_teacher

        teacher = finished_teacher(Path(run))
        fields |= {
            "backbone": backbone,
            "workdir": str(workdir),
            "problem": fields.get("problem", teacher.config.problem),
            "distil": {
                "teacher": str(run),
                "unlabelled": unlabelled,
                "temperature": temperature,
                "weight": weight,
            },
        }
        known = teacher.config.data if data is None else data
        with _configured(known, fields) as config:
            return distilled(Path(run), config)


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
