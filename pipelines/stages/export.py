"""Stage 7: export a SavedModel, prove that it equals the trained model, publish it."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import tensorflow as tf

from pipelines.data.reference import MAXIMUM_MEGAPIXELS
from pipelines.data.splits import ImageFiles, ImageRecords, Split
from pipelines.errors import ArtifactError
from pipelines.formats import detector_file, keras_file
from pipelines.planning.detectors import can_move
from pipelines.problems.protocol import Problem
from pipelines.runtime import environment, signals
from pipelines.runtime.clock import Ticker
from pipelines.serving import artifact, canonical, publication, warm_up
from pipelines.serving.artifact import Artifact, Manifest
from pipelines.serving.fresh_process import FreshProcess
from pipelines.serving.naming import STREAM
from pipelines.serving.parity import DifferentError
from pipelines.serving.requests import long_series, requests
from pipelines.serving.server.scan.ops import harmless_graph
from pipelines.serving.signatures import signatures
from pipelines.stages.explain import explained_map
from pipelines.stages.outputs import answering, fingerprint
from pipelines.stages.proof.asking import is_coarse
from pipelines.stages.prove import prove
from pipelines.training.transfer_model import TransferModel
from zoo.builder import Backbone, is_unpinned
from zoo.graph.blocks import layers_inside
from zoo.graph.columns import columns_of
from zoo.graph.folding import folded, folded_copy
from zoo.spec import ImageInput, SoundInput, TableInput

_logger = logging.getLogger("zootune")


class Extra(Protocol):
    """Facts on the training data that lie beside the graph of an artifact."""

    def save(self, folder: Path) -> None:
        """Writes them into the folder of an artifact."""


def export(
    model: TransferModel,
    calibration: Any,
    examples: Split,
    base: Path,
    *,
    problem: Problem,
    facts: Mapping[str, Any],
    model_card: str = "",
    explain: bool = False,
    keeps_keras: bool = False,
    extras: Sequence[Extra] = (),
    process: FreshProcess | None = None,
) -> Artifact:
    """A new version under `base`, which appears complete and proved, or not at all.

    `examples` are real ones to prove parity with; `facts` are the manifest's `data`,
    `plan` and `metrics`, and `model_card` is Markdown for people, a file beside the
    graph. With `explain` it can say where on an image the network looked, and with
    `keeps_keras` it holds the Keras model too. `extras` are saved beside the graph:
    what the artifact knows of its training data. `process` is one of
    `parity_process.fresh_process` that was started early.

    Raises:
        ArtifactError: if there is no space, or if the SavedModel in a fresh process
            differs from the model in memory; then it stays, beside the versions.
    """
    base.mkdir(parents=True, exist_ok=True)
    publication.require_space(base, sum(w.nbytes for w in model.model.get_weights()))
    limit = _maximum_megapixels(examples)
    subject = _Subject(model, calibration, problem, limit, explain=explain)
    try:
        with publication.unpublished(base) as unpublished:
            described = _write(subject, unpublished, model_card=model_card)
            if keeps_keras:
                keras_file.write(model.model, unpublished / keras_file.PLACE)
            if can_move(model.plan.detector, model.backbone.spec.modality):
                _write_detector(model, unpublished)
            for extra in extras:
                extra.save(unpublished)
            with _kept_if_refused(unpublished, base):
                record = _prove(subject, examples, unpublished, process)
            manifest = _manifest(
                subject, facts, signatures=described, record=record, folder=unpublished
            )
            manifest = artifact.write_manifest(unpublished, manifest)
            signals.obey()
            published = Artifact(publication.publish(unpublished, base), manifest)
            _mention_refused(base)
            return published
    except (OSError, tf.errors.OpError) as error:
        raise ArtifactError(
            f"The export to {base} failed and was taken back: {error}. The versions"
            f" that were there are untouched: {artifact.versions(base)}."
        ) from error


def _write_detector(model: TransferModel, folder: Path) -> None:
    """Writes the head of a detector, for data of another source to take over."""
    standardize, *_, scores = model.head_layers
    inputs = model.head_input
    detector_file.write(
        standardize,
        scores,
        beside=inputs[1].shape[1:] if isinstance(inputs, list) else None,
        plan=model.plan,
        backbone=fingerprint(model.backbone),
        folder=folder,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Subject:
    """The model that is exported, and what else its graph is made of."""

    model: TransferModel
    calibration: Any
    problem: Problem
    maximum_megapixels: float
    _: dataclasses.KW_ONLY
    explain: bool


def _write(subject: _Subject, folder: Path, *, model_card: str) -> dict[str, Any]:
    """Writes all but the manifest, and gives the inputs and outputs of signatures."""
    described = _save(subject, folder)
    signals.obey()
    _write_warm_up(subject, folder)
    if model_card:
        card = folder / artifact.MODEL_CARD
        card.write_text(model_card, encoding="utf-8", newline="\n")
    return described


def _write_warm_up(subject: _Subject, folder: Path) -> None:
    """Writes the requests that a server warms up with."""
    answers = subject.problem.graph_answers(subject.calibration)
    asked = requests(subject.model.model).items()
    inputs = {name: request.inputs for name, request in asked}
    if long := long_series(subject.model.model, answers):
        inputs[STREAM] = {long.name: long}
    asked_of = warm_up.requests(
        inputs, explain=subject.explain, examples=answers.examples
    )
    warm_up.write(folder, asked_of)


def _prove(
    subject: _Subject, examples: Split, folder: Path, process: FreshProcess | None
) -> dict[str, Any]:
    """The record of the proof."""
    return prove(
        subject.model,
        _in_memory(subject.model, explain=subject.explain),
        subject.calibration,
        examples,
        folder,
        problem=subject.problem,
        maximum_megapixels=subject.maximum_megapixels,
        explain=subject.explain,
        process=process,
    )


@contextlib.contextmanager
def _kept_if_refused(unpublished: Path, base: Path) -> Iterator[None]:
    try:
        yield
    except ArtifactError as error:
        raise _kept(error, unpublished, base) from error


def _kept(error: ArtifactError, unpublished: Path, base: Path) -> ArtifactError:
    """The same error, with where the export is that was refused; it is not lost."""
    about: dict[str, Any] = {"error": str(error)}
    if isinstance(error, DifferentError):
        about.update(error.report)
    try:
        folder = publication.keep_refused(unpublished, base, about)
    except OSError as disk:
        return ArtifactError(f"{error} It could not be kept to look at: {disk}.")
    return ArtifactError(
        f"{error} The export stays in {folder}, where no server takes it for a version;"
        f" its {publication.REFUSAL} says what was compared, and how far it is off. The"
        " same command proves the trained model again, without training."
    )


def _mention_refused(base: Path) -> None:
    """A refused export takes space until somebody removes it."""
    for folder in publication.refused(base):
        _logger.info(
            "%s is an earlier export, which was refused. Nothing needs it any more;"
            " remove it when you have looked at it.",
            folder,
        )


def _maximum_megapixels(split: Split) -> float:
    """The largest image that may be asked about: as large as in training."""
    if isinstance(split.inputs, ImageFiles | ImageRecords):
        return split.inputs.maximum_megapixels
    return MAXIMUM_MEGAPIXELS


def _save(subject: _Subject, folder: Path) -> dict[str, Any]:
    """Writes the SavedModel and gives the inputs and outputs of its signatures."""
    served = _served(subject.model, explain=subject.explain)
    functions = signatures(
        keras.Model(served.input, served.outputs[:2], name="answering"),
        class_names=subject.problem.names,
        calibration=subject.calibration,
        answers=subject.problem.graph_answers(subject.calibration),
        maximum_megapixels=subject.maximum_megapixels,
        feature_map=served.outputs[2] if subject.explain else None,
    )
    tick, traced = Ticker("signatures", len(functions)), {}
    for done, (name, function) in enumerate(functions.items()):
        tick(done)
        traced[name] = function.get_concrete_function()
    _logger.info("  writing the SavedModel")
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(
        _read_by_all(served, traced.values()),
        folder,
        signatures=traced,
        options=options,
    )
    canonical.rewrite(folder)
    _refuse_what_no_server_loads(folder)
    return {name: _described(function) for name, function in traced.items()}


def _refuse_what_no_server_loads(folder: Path) -> None:
    """Raises `ArtifactError` as `zoo serve` and `zoo predict` would, but here."""
    try:
        harmless_graph(folder)
    except ArtifactError as error:
        raise ArtifactError(
            f"This backbone cannot be published: no server would load it. {error}"
        ) from error


def _read_by_all(
    served: keras.Model,
    traced: Collection[tf.types.experimental.ConcreteFunction],
) -> tf.Module:
    """The object that `tf.saved_model.save` follows: all that the signatures read.

    Not Keras' `ExportArchive`: it asks every layer for functions, and takes variables
    in an order that differs from process to process. And not the functions themselves,
    which TensorFlow would trace once more, because it is saving.
    """
    module = tf.Module()
    module.weights, handles = _read_by(traced)
    module.tables = _tables_of(served, handles)
    return module


def _read_by(
    traced: Iterable[tf.types.experimental.ConcreteFunction],
) -> tuple[list[tf.Variable], dict[int, tf.Tensor]]:
    """The variables of functions in the order in which they were traced, and handles of
    what else lies in memory: tables."""
    read: dict[int, tf.Variable] = {}
    others: dict[int, tf.Tensor] = {}
    for function in traced:
        variables = {
            id(variable.handle): variable for variable in function.graph.variables
        }
        for capture in function.graph.external_captures:
            if id(capture) in variables:
                read.setdefault(id(capture), variables[id(capture)])
            elif capture.dtype == tf.resource:
                others[id(capture)] = capture
    return list(read.values()), others


class _AsSaved(tf.train.TrackableView):
    """An object with what is only found when a SavedModel is written."""

    @classmethod
    def children(cls, obj, save_type="savedmodel", **_):
        try:
            return super().children(obj, save_type, cache={})
        except TypeError:  # a layer whose call needs more than its input holds no table
            return {}


def _tables_of(served: keras.Model, handles: Mapping[int, tf.Tensor]) -> list[Any]:
    """The tables that layers hold behind handles that are not variables."""
    missing, tables = set(handles), []
    # Of most nothing is missing, and the second one takes seconds.
    for view in (tf.train.TrackableView, _AsSaved):
        for layer in layers_inside(served) if missing else ():
            for part in view(layer).descendants():
                if not isinstance(part, tf.saved_model.experimental.TrackableResource):
                    continue
                if id(part.resource_handle) in missing:
                    missing.discard(id(part.resource_handle))
                    tables.append(part)
    return tables


def _network(model: TransferModel, *, explain: bool) -> keras.Model:
    """Logits and features of a model and, to `explain`, its last map."""
    answers = answering(model)
    maps = [explained_map(model.backbone, model.last_block)] if explain else []
    return keras.Model(answers.input, [*answers.outputs, *maps], name="served")


def _in_memory(model: TransferModel, *, explain: bool = False) -> keras.Model:
    """The model that the SavedModel has to equal: layer by layer, as it was built.

    But in a shorter format as it was trained: there rounding alone makes a difference
    of up to a percent between layer by layer and folded.
    """
    network = _network(model, explain=explain)
    return folded(network, in_inference=True) if is_coarse(network) else network


def _served(model: TransferModel, *, explain: bool) -> keras.Model:
    """The model that is written; nobody trains it, so its weights may be others.

    In a shorter format they are, because scaled by another process they may be rounded
    to the other side.
    """
    network = _in_memory(model, explain=explain)
    return network if is_coarse(network) else folded_copy(network)


def _described(concrete: tf.types.experimental.ConcreteFunction) -> dict[str, Any]:
    (inputs,), _ = concrete.structured_input_signature
    return {
        side: {
            name: {"dtype": spec.dtype.name, "shape": list(spec.shape)}
            for name, spec in specs.items()
        }
        for side, specs in (
            ("inputs", inputs),
            ("outputs", concrete.structured_outputs),
        )
    }


def _manifest(
    subject: _Subject,
    facts: Mapping[str, Any],
    *,
    signatures: Mapping[str, Any],
    record: Mapping[str, Any],
    folder: Path,
) -> Manifest:
    model, problem = subject.model, subject.problem
    spec = model.backbone.spec
    return Manifest(
        format=artifact.FORMAT,
        model={
            "backbone": spec.name,
            "handle": spec.handle,
            "weights": model.backbone.weights,
            "unpinned": is_unpinned(model.backbone),
            "license": spec.license,
            "paper": spec.paper,
        },
        class_names=problem.names,
        signatures=signatures,
        preprocessing=_preprocessing(
            model.backbone, maximum_megapixels=subject.maximum_megapixels
        ),
        versions=environment.installed_versions(),
        data=facts["data"],
        plan=facts["plan"],
        metrics=facts["metrics"],
        parity=record,
        files=artifact.hash_files(folder),
        **problem.manifest(subject.calibration),
    )


def _preprocessing(backbone: Backbone, *, maximum_megapixels: float) -> dict[str, Any]:
    """The preprocessing inside the graph, in words and numbers."""
    takes = backbone.spec.input
    facts: dict[str, Any] = {
        "modality": takes.modality,
        **dataclasses.asdict(takes),
        # To be imported before the graph is loaded, except by TensorFlow Serving.
        "requires": list(backbone.spec.requires),
    }
    if isinstance(takes, ImageInput):
        facts["input_size_px"] = backbone.input_size_px
        facts["maximum_megapixels"] = maximum_megapixels
        facts["resize"] = "bilinear, antialias, stretched to a square, rounded to uint8"
    elif isinstance(takes, TableInput):
        columns = columns_of(backbone.model)
        facts["columns"] = [dataclasses.asdict(column) for column in columns]
    else:
        facts["input_length"] = backbone.input_length
    if isinstance(takes, SoundInput):
        facts["rate_hz"] = backbone.rate_hz
    return facts
