"""Stage 7: export a SavedModel, prove that it equals the trained model, publish it."""

from __future__ import annotations

import base64
import dataclasses
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines import environment
from pipelines.data.batches import batches
from pipelines.data.image_bytes import encoded_bytes
from pipelines.data.limits import MAXIMUM_MEGAPIXELS
from pipelines.data.splits import (
    ImageArray,
    ImageFiles,
    ImageRecords,
    Series,
    Split,
    Texts,
    first,
)
from pipelines.errors import ArtifactError
from pipelines.planning.calibration import Calibration, to_manifest
from pipelines.serving import artifact, canonical, parity, warm_up
from pipelines.serving.artifact import Artifact, Manifest
from pipelines.serving.server.op_scan import harmless_graph
from pipelines.serving.signatures import (
    CLASSIFY,
    DEFAULT,
    EXAMPLES,
    EXPLAIN,
    FEATURES,
    explanation,
    requests,
    signatures,
)
from pipelines.stages.explain import explained_map
from pipelines.stages.head import TransferModel
from pipelines.stages.outputs import Outputs, answering
from zoo.blocks import layers_inside
from zoo.builder import Backbone, is_unpinned
from zoo.folding import folded, folded_copy
from zoo.spec import ImageInput

_PARITY_EXAMPLES = 16
_NOT_AN_IMAGE = b"not an image"
_NOT_A_TEXT = b"\xff\xfe not UTF-8"


def export(
    model: TransferModel,
    calibration: Calibration,
    examples: Split,
    base: Path,
    *,
    class_names: Sequence[str],
    facts: Mapping[str, Any],
    explain: bool = False,
) -> Artifact:
    """A new version under `base`, which appears complete and proved, or not at all.

    `examples` are real ones to prove parity with; `facts` are the manifest's `data`,
    `plan` and `metrics`. With `explain` it can say where on an image the network
    looked.

    Raises:
        ArtifactError: if there is no space, or if the SavedModel in a fresh process
            differs from the model in memory.
    """
    base.mkdir(parents=True, exist_ok=True)
    artifact.require_space(base, sum(w.nbytes for w in model.model.get_weights()))
    limit = _maximum_megapixels(examples)
    try:
        with artifact.unpublished(base) as unpublished:
            described = _save(
                model,
                calibration,
                unpublished,
                class_names,
                maximum_megapixels=limit,
                explain=explain,
            )
            ways = {name: one.input for name, one in requests(model.model).items()}
            warm_up.write(unpublished, warm_up.requests(ways, explain=explain))
            record = _prove(
                model, calibration, examples, unpublished, class_names, explain=explain
            )
            manifest = _manifest(
                model,
                calibration,
                class_names=class_names,
                signatures=described,
                record=record,
                folder=unpublished,
                facts=facts,
                maximum_megapixels=limit,
            )
            manifest = artifact.write_manifest(unpublished, manifest)
            return Artifact(artifact.publish(unpublished, base), manifest)
    except (OSError, tf.errors.OpError) as error:
        raise ArtifactError(
            f"The export to {base} failed and was taken back: {error}. The versions"
            f" that were there are untouched: {artifact.versions(base)}."
        ) from error


def _maximum_megapixels(split: Split) -> float:
    """How large an image may be that is asked about: as large as in training."""
    if isinstance(split.inputs, ImageFiles | ImageRecords):
        return split.inputs.maximum_megapixels
    return MAXIMUM_MEGAPIXELS


def _save(
    model: TransferModel,
    calibration: Calibration,
    folder: Path,
    class_names: Sequence[str],
    *,
    maximum_megapixels: float,
    explain: bool,
) -> dict[str, Any]:
    """Writes the SavedModel and gives the inputs and outputs of its signatures."""
    served = _served(model, explain=explain)
    functions = signatures(
        keras.Model(served.input, served.outputs[:2], name="answering"),
        class_names=class_names,
        calibration=calibration,
        maximum_megapixels=maximum_megapixels,
        feature_map=served.outputs[2] if explain else None,
    )
    traced = {name: one.get_concrete_function() for name, one in functions.items()}
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(
        _saved(served, functions, traced), folder, signatures=traced, options=options
    )
    canonical.rewrite(folder)
    _refuse_what_no_server_loads(folder)
    return {name: _described(one) for name, one in traced.items()}


def _refuse_what_no_server_loads(folder: Path) -> None:
    """Raises `ArtifactError` as `zoo serve` and `zoo predict` would, but here."""
    try:
        harmless_graph(folder)
    except ArtifactError as error:
        raise ArtifactError(
            f"This backbone cannot be published: no server would load it. {error}"
        ) from error


def _saved(
    served: keras.Model,
    functions: Mapping[str, Any],
    traced: Mapping[str, tf.types.experimental.ConcreteFunction],
) -> tf.Module:
    """What `tf.saved_model.save` follows: functions, and what they read.

    Not Keras' `ExportArchive`: it asks every layer for functions, and takes variables
    in an order that differs from process to process.
    """
    module = tf.Module()
    for name, function in functions.items():
        setattr(module, name, function)
    module.weights, handles = _read_by(traced.values())
    module.tables = _tables_of(served, handles)
    return module


def _read_by(
    traced: Iterable[tf.types.experimental.ConcreteFunction],
) -> tuple[list[tf.Variable], dict[int, tf.Tensor]]:
    """The variables of functions in the order in which they were traced, and handles of
    what else lies in memory: tables."""
    found: dict[int, tf.Variable] = {}
    others: dict[int, tf.Tensor] = {}
    for one in traced:
        variables = {id(variable.handle): variable for variable in one.graph.variables}
        for capture in one.graph.external_captures:
            if id(capture) in variables:
                found.setdefault(id(capture), variables[id(capture)])
            elif capture.dtype == tf.resource:
                others[id(capture)] = capture
    return list(found.values()), others


class _AsSaved(tf.train.TrackableView):
    """An object with what is only found when a SavedModel is written."""

    @classmethod
    def children(cls, obj, save_type="savedmodel", **_):
        try:
            return super().children(obj, save_type, cache={})
        except TypeError:  # a layer whose call needs more than its input holds no table
            return {}


def _tables_of(served: keras.Model, handles: Mapping[int, tf.Tensor]) -> list[Any]:
    """What layers hold behind handles that are not variables."""
    missing, found = set(handles), []
    # Of most nothing is missing, and the second one takes seconds.
    for view in (tf.train.TrackableView, _AsSaved):
        for layer in layers_inside(served) if missing else ():
            for one in view(layer).descendants():
                if not isinstance(one, tf.saved_model.experimental.TrackableResource):
                    continue
                if id(one.resource_handle) in missing:
                    missing.discard(id(one.resource_handle))
                    found.append(one)
    return found


def _network(model: TransferModel, *, explain: bool) -> keras.Model:
    """Logits and features of a model and, to `explain`, its last map."""
    answers = answering(model)
    maps = [explained_map(model.backbone)] if explain else []
    return keras.Model(answers.input, [*answers.outputs, *maps], name="served")


def _in_memory(model: TransferModel, *, explain: bool = False) -> keras.Model:
    """What the SavedModel has to equal: layer by layer, as the backbone is described.

    But in a shorter format as it was trained: there rounding alone makes a difference
    of up to a percent between layer by layer and folded.
    """
    network = _network(model, explain=explain)
    return folded(network, in_inference=True) if _rounds(network) else network


def _served(model: TransferModel, *, explain: bool) -> keras.Model:
    """What is written: nobody trains it, so its weights need not be those that train.

    In a shorter format they are, because scaled by another process they may be rounded
    to the other side.
    """
    network = _in_memory(model, explain=explain)
    return network if _rounds(network) else folded_copy(network)


def _rounds(network: keras.Model) -> bool:
    """Whether any of it computes in float16 or bfloat16."""
    return any("float16" in layer.compute_dtype for layer in layers_inside(network))


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


def _prove(
    model: TransferModel,
    calibration: Calibration,
    examples: Split,
    folder: Path,
    class_names: Sequence[str],
    *,
    explain: bool,
) -> dict[str, Any]:
    """Runs every signature in a fresh process, on real examples and one that is bad.

    What it must give comes from the model in memory, which reads the examples as it did
    in training.
    """
    some, given_out = _decided(model, calibration, examples)
    predicted = _predicted(calibration, given_out, class_names)
    asked = {name: one.input.name for name, one in requests(model.model).items()}
    raw = _raw_behind_bad_one(some)
    given = {
        signature: {name: _as_in_training(model, some) if name == "pixels" else raw}
        for signature, name in asked.items()
    }
    behind_bad = {k: _behind_bad_row(v) for k, v in predicted.items()}
    wanted = {
        signature: predicted if name == "pixels" else behind_bad
        for signature, name in asked.items()
    }
    given[FEATURES] = given[DEFAULT]
    wanted[FEATURES] = {"features": _behind_bad_row(given_out.features)}
    given[CLASSIFY] = {EXAMPLES: _as_examples(asked[DEFAULT], raw)}
    names = [name.encode() for name in class_names]
    wanted[CLASSIFY] = {
        "classes": np.tile(names, (len(raw), 1)),
        "scores": behind_bad["probabilities"],
    }
    if explain:
        given[EXPLAIN] = given[DEFAULT]
        wanted[EXPLAIN] = {
            "heat_map": _behind_bad_row(_heat_maps(model, calibration, some)),
            "label": behind_bad["label"],
        }
    with tempfile.TemporaryDirectory() as scratch:
        found = parity.run_in_fresh_process(
            folder,
            _by_batch_size(given),
            Path(scratch),
            requires=model.backbone.spec.requires,
        )
    record = parity.compare(_by_batch_size(wanted), found)
    return {**record, "examples": len(some)}


def _decided(
    model: TransferModel, calibration: Calibration, examples: Split
) -> tuple[Split, Outputs]:
    """Examples to compare, and what the model in memory gives for them.

    One whose confidence lies on the threshold, to within rounding, may be accepted here
    and refused there; it proves nothing, so others are taken.
    """
    some = first(examples, 2 * _PARITY_EXAMPLES)
    network = tf.function(_in_memory(model))
    given = network(_as_in_training(model, some), training=False)
    logits, features = (np.asarray(one, np.float32) for one in given)
    answers = calibration.answer(logits, features)
    decided = np.flatnonzero(calibration.is_decided(answers))
    rows = (decided if len(decided) else np.arange(len(some)))[:_PARITY_EXAMPLES]
    return some.take(rows), Outputs(
        some.name, some.labels[rows], logits[rows], features[rows]
    )


def _heat_maps(
    model: TransferModel, calibration: Calibration, split: Split
) -> np.ndarray:
    """Where the model in memory looks."""
    network = _in_memory(model, explain=True)
    answers = keras.Model(network.input, network.outputs[:2])
    look = explanation(answers, network.outputs[2], calibration)
    heat, _ = look(tf.constant(_as_in_training(model, split)))
    return heat.numpy()


def _as_in_training(model: TransferModel, split: Split) -> np.ndarray:
    """All of a split as the model takes it."""
    size = model.backbone.input_size_px
    (whole,) = batches(split, input_size_px=size, batch_size=len(split))
    return whole[0].numpy()


def _by_batch_size(
    arrays: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """The first rows of every array, for every batch size, under a key for each."""
    return {
        f"{signature}/{count}/{name}": value[:count]
        for signature, values in arrays.items()
        for name, value in values.items()
        for count in parity.batch_sizes(len(value))
    }


def _behind_bad_row(values: np.ndarray) -> np.ndarray:
    """The same rows after a bad one: zeros, false, the empty label."""
    return np.concatenate([np.zeros_like(values[:1]), values])


def _predicted(
    calibration: Calibration, found: Outputs, class_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """What the signatures must give for these outputs of the model in memory."""
    answers = calibration.answer(found.logits, found.features)
    names = np.array([name.encode() for name in class_names])
    return {
        "probabilities": answers.probabilities,
        "label": names[answers.labels],
        "confidence": answers.confidence,
        "accepted": answers.accepted,
        "ood_score": answers.ood_score,
        "prediction_set": answers.prediction_set,
        "valid": np.ones(len(answers.labels), bool),
    }


def _raw_behind_bad_one(split: Split) -> np.ndarray:
    """A bad example and all of a split, as a client sends them; bytes as base64."""
    match split.inputs:
        case ImageFiles() | ImageRecords() as images:
            contents = (encoded_bytes(images, i) for i in range(len(images)))
            return _base64([_NOT_AN_IMAGE, *contents])
        case ImageArray(pixels):  # as PNG, which loses nothing
            encoded = [tf.io.encode_png(one).numpy() for one in pixels]
            return _base64([_NOT_AN_IMAGE, *encoded])
        case Texts(values):
            return _base64([_NOT_A_TEXT, *values])
        case Series(values):
            return np.concatenate([np.full_like(values[:1], np.nan), values])


def _as_examples(name: str, raw: np.ndarray) -> np.ndarray:
    """The same as serialized examples, for `classify`; bytes are base64 in both."""
    given = [base64.b64decode(one) for one in raw] if raw.dtype.kind == "S" else raw
    return _base64([warm_up.example_of(name, one) for one in given])


def _base64(items: Sequence[bytes]) -> np.ndarray:
    return np.array([base64.b64encode(item) for item in items])


def _manifest(
    model: TransferModel,
    calibration: Calibration,
    *,
    class_names: Sequence[str],
    signatures: Mapping[str, Any],
    record: Mapping[str, Any],
    folder: Path,
    facts: Mapping[str, Any],
    maximum_megapixels: float,
) -> Manifest:
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
        class_names=tuple(class_names),
        signatures=signatures,
        preprocessing=_preprocessing(
            model.backbone, maximum_megapixels=maximum_megapixels
        ),
        versions=environment.installed_versions(),
        data=facts["data"],
        plan=facts["plan"],
        metrics=facts["metrics"],
        parity=record,
        files=artifact.hash_files(folder),
        **to_manifest(calibration),
    )


def _preprocessing(backbone: Backbone, *, maximum_megapixels: float) -> dict[str, Any]:
    """What happens to an example inside the graph, in words and numbers."""
    takes = backbone.spec.input
    facts: dict[str, Any] = {
        "modality": takes.modality,
        **dataclasses.asdict(takes),
        # To be imported before the graph is loaded, by what is no TensorFlow Serving.
        "requires": list(backbone.spec.requires),
    }
    if isinstance(takes, ImageInput):
        facts["input_size_px"] = backbone.input_size_px
        facts["maximum_megapixels"] = maximum_megapixels
        facts["resize"] = "bilinear, antialias, stretched to a square, rounded to uint8"
    else:
        facts["input_length"] = backbone.input_length
    return facts
