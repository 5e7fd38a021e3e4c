"""The signatures of an artifact: what a client sends, and what comes back.

Everything between is in the graph: decoding, tokenisation, preprocessing, labels. A bad
example gets `valid = false` and never fails its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from pipelines.calibration.calibration import Calibration
from pipelines.calibration.feature_space import SMALLEST_LENGTH, FeatureSpace
from pipelines.data.reference import MAXIMUM_MEGAPIXELS
from pipelines.serving.grad_cam import grad_cam
from pipelines.serving.graph_answers import GraphAnswers, Outputs, Stream
from pipelines.serving.naming import CLASSIFY, DEFAULT, EXPLAIN, FEATURES, STREAM
from pipelines.serving.requests import (
    Request,
    long_series,
    parse_examples,
    requests,
)

EXAMPLES = "inputs"


def signatures(
    model: keras.Model,
    *,
    class_names: Sequence[str],
    calibration: Any,
    maximum_megapixels: float = MAXIMUM_MEGAPIXELS,
    feature_map: keras.KerasTensor | None = None,
    answers: GraphAnswers | None = None,
) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    """The signatures of an artifact by name, as concrete TensorFlow functions.

    `model` gives logits and feature vectors, and `answers` makes the answers of them,
    without which it is a classifier. With a `feature_map` that the logits follow from,
    there is a signature that explains them.
    """
    making = answers or classifier(calibration, class_names)

    # A function, as `Request.read` is, so that every signature calls the same graph.
    ways = requests(model, maximum_megapixels=maximum_megapixels)
    *_, last = (way.inputs for way in ways.values())  # what the model takes, unread
    (taken,) = last.values()
    # With a signature, or TensorFlow makes it again for an input of another origin.
    run = tf.function(
        lambda inputs: run_on_batch(model, inputs),
        input_signature=[tf.TensorSpec(taken.shape, taken.dtype)],
        autograph=False,
    )

    def classify(inputs: tf.Tensor, valid: tf.Tensor) -> Outputs:
        logits, features = run(inputs)
        return {**making.answer(logits, features, valid), "valid": valid}

    def of_examples(serialized: tf.Tensor) -> Outputs:
        request = ways[DEFAULT]
        answer = classify(
            *request.read(*parse_examples(serialized, request.inputs.values()))
        )
        return making.of_examples(answer)

    def feature_vectors(inputs: tf.Tensor, valid: tf.Tensor) -> Outputs:
        _, vectors = run(inputs)
        return {"features": tf.where(valid[:, None], vectors, 0.0)}

    functions = {
        **{name: _function(request, classify) for name, request in ways.items()},
        FEATURES: _function(ways[DEFAULT], feature_vectors),
    }
    if making.examples:
        functions[making.examples] = _function_of_examples(of_examples)
    if making.stream and (long := long_series(model, making)):
        functions[STREAM] = _of_stream(long, making.stream, ways[DEFAULT], classify)
    if feature_map is not None:
        look = explanation(model, feature_map, calibration)
        explain = _explain(look, class_names)
        if explains_each(calibration):
            explain = _explain_each(look)
        functions[EXPLAIN] = _function(ways[DEFAULT], explain)
    return functions


def classifier(calibration: Calibration, class_names: Sequence[str]) -> GraphAnswers:
    """The answers of a classifier: probabilities, label, and what is accepted."""

    def classes_and_scores(answer: Outputs) -> Outputs:
        scores = answer["probabilities"]
        names = tf.constant(class_names)[None, :]
        return {
            "classes": tf.tile(names, [tf.shape(scores)[0], 1]),
            "scores": scores,
        }

    return GraphAnswers(
        answer=lambda logits, features, valid: _answers(
            calibration, logits, features, valid, class_names
        ),
        examples=CLASSIFY,
        of_examples=classes_and_scores,
    )


def _explain(
    look: Callable[[tf.Tensor], tuple[tf.Tensor, ...]],
    class_names: Sequence[str],
) -> Callable[[tf.Tensor, tf.Tensor], Outputs]:
    """Answers with a heat map and the label it is for; a bad example has neither."""

    def explain(inputs: tf.Tensor, valid: tf.Tensor) -> Outputs:
        heat, likeliest = look(inputs)
        names = tf.gather(tf.constant(class_names), likeliest)
        return {
            "heat_map": tf.where(valid[:, None, None], heat, 0.0),
            "label": tf.where(valid, names, ""),
        }

    return explain


def explains_each(calibration: Any) -> bool:
    """True if every output is explained, and not the class that an answer names."""
    return not isinstance(calibration, Calibration)


def _explain_each(
    look: Callable[[tf.Tensor], tuple[tf.Tensor, ...]],
) -> Callable[[tf.Tensor, tf.Tensor], Outputs]:
    """Answers with a heat map for each output; a bad example has none."""

    def explain(inputs: tf.Tensor, valid: tf.Tensor) -> Outputs:
        (heat,) = look(inputs)
        return {"heat_map": tf.where(valid[:, None, None, None], heat, 0.0)}

    return explain


def explanation(
    model: keras.Model, feature_map: keras.KerasTensor, calibration: Any
) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
    """A function from model inputs to heat maps and the classes that they are for.

    The class is the one that the answer names, float32 `[batch, height, width]` says
    what in the map spoke for it. Where `explains_each`, there is a heat map for each
    output, `[batch, outputs, height, width]`, and nothing else.
    """
    if explains_each(calibration):
        return _explanation_of_each(model, feature_map)
    logits_and_map = keras.Model(
        model.input, [model.outputs[0], feature_map], name="explaining"
    )

    @tf.function(autograph=False)
    def look(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        filled, count = _never_empty(inputs)
        logits, features = logits_and_map(filled, training=False)
        likeliest = tf.argmax(_scaled(calibration, tf.cast(logits, tf.float32)), axis=1)
        score = tf.gather(logits, likeliest, batch_dims=1)
        return grad_cam(score, features)[:count], likeliest[:count]

    return look


def _explanation_of_each(
    model: keras.Model, feature_map: keras.KerasTensor
) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
    outputs_and_map = keras.Model(
        model.input, [model.outputs[0], feature_map], name="explaining_each"
    )

    @tf.function(autograph=False)
    def look(inputs: tf.Tensor) -> tuple[tf.Tensor, ...]:
        filled, count = _never_empty(inputs)
        outputs, features = outputs_and_map(filled, training=False)
        each = tf.unstack(outputs, axis=1)
        heats = [grad_cam(score, features) for score in each]
        return (tf.stack(heats, axis=1)[:count],)

    return look


def _scaled(calibration: Calibration, logits: tf.Tensor) -> tf.Tensor:
    scaling = calibration.scaling
    return logits / scaling.temperature + tf.constant(scaling.bias, tf.float32)


def _answers(
    calibration: Calibration,
    logits: tf.Tensor,
    features: tf.Tensor,
    valid: tf.Tensor,
    class_names: Sequence[str],
) -> Outputs:
    """`Calibration.answer` in the graph; a bad example has no answer."""
    scaled = _scaled(calibration, logits)
    # A bad example has no class: zeros, not a guess about the blank in its place.
    probabilities = tf.where(valid[:, None], tf.nn.softmax(scaled), 0.0)
    confidence = tf.reduce_max(probabilities, axis=1)
    likeliest = tf.argmax(probabilities, axis=1)
    names = tf.gather(tf.constant(class_names), likeliest)
    ood_score = tf.where(valid, _ood_score(calibration, logits, features), 0.0)
    is_likeliest = tf.cast(tf.one_hot(likeliest, len(class_names)), tf.bool)
    in_set = (probabilities >= calibration.set_threshold) | is_likeliest
    return {
        "probabilities": probabilities,
        "label": tf.where(valid, names, ""),
        "confidence": confidence,
        "accepted": valid
        & (confidence >= calibration.confidence_threshold)
        & (ood_score <= 1.0),
        "ood_score": ood_score,
        "prediction_set": valid[:, None] & in_set,
    }


def _ood_score(
    calibration: Calibration, logits: tf.Tensor, features: tf.Tensor
) -> tf.Tensor:
    scores = []
    if calibration.energy:
        energy = -tf.reduce_logsumexp(logits, axis=1)
        scores.append(calibration.energy.score(energy))
    if calibration.distance and calibration.space:
        distance = feature_distance(calibration.space, features)
        scores.append(calibration.distance.score(distance))
    return tf.reduce_max(scores, axis=0) if scores else tf.zeros_like(logits[:, 0])


def feature_distance(space: FeatureSpace, features: tf.Tensor) -> tf.Tensor:
    """`FeatureSpace.distances` in the graph.

    In float64, as there: where the classes are far apart, the squares that are
    multiplied out below are large beside what is left of them.
    """
    centre, axes, whitening, means = (
        tf.cast(tf.constant(x), tf.float64)
        for x in (space.centre, space.axes, space.whitening, space.means)
    )
    features = tf.cast(features, tf.float64)
    lengths = tf.norm(features, axis=1, keepdims=True)
    unit_length = features / tf.maximum(lengths, SMALLEST_LENGTH)
    from_centre = unit_length - centre
    inside = tf.matmul(from_centre, axes)
    outside = from_centre - tf.matmul(inside, axes, transpose_b=True)
    whitened = tf.matmul(inside, whitening)
    # Squares multiplied out, because differences to every class would fill the memory
    # where classes are many.
    to_means = (
        tf.reduce_sum(whitened**2, axis=1, keepdims=True)
        - 2 * tf.matmul(whitened, means, transpose_b=True)
        + tf.reduce_sum(means**2, axis=1)
    )
    nearest = tf.maximum(tf.reduce_min(to_means, axis=1), 0.0)
    beyond = space.outside_weight * tf.reduce_sum(outside**2, axis=1)
    return tf.cast(tf.sqrt(nearest + beyond), tf.float32)


def _function(
    request: Request, answer: Callable[[tf.Tensor, tf.Tensor], Outputs]
) -> tf.types.experimental.PolymorphicFunction:
    specs = dict(request.inputs)

    @tf.function(input_signature=[specs], autograph=False)
    def serve(inputs):
        return answer(*request.read(*(inputs[name] for name in specs)))

    return serve


def _of_stream(
    spec: tf.TensorSpec,
    stream: Stream,
    request: Request,
    answer: Callable[[tf.Tensor, tf.Tensor], Outputs],
) -> tf.types.experimental.PolymorphicFunction:
    """The function of long series, whose windows are requests of their own."""
    (window,) = request.inputs.values()
    length = window.shape[1]

    def of_windows(windows: tf.Tensor) -> Outputs:
        return answer(*request.read(tf.ensure_shape(windows, window.shape)))

    @tf.function(input_signature=[{spec.name: spec}], autograph=False)
    def serve(inputs):
        return stream.answers(of_windows, inputs[spec.name], length)

    return serve


def _function_of_examples(
    answer: Callable[[tf.Tensor], Outputs],
) -> tf.types.experimental.PolymorphicFunction:
    spec = tf.TensorSpec([None], tf.string, name=EXAMPLES)

    @tf.function(input_signature=[{EXAMPLES: spec}], autograph=False)
    def serve(inputs):
        return answer(inputs[EXAMPLES])

    return serve


def run_on_batch(model: keras.Model, inputs: tf.Tensor) -> list[tf.Tensor]:
    """The outputs of a model in inference mode, float32, for a batch of any size.

    Some kernels fail on an empty batch, so that gets a row which is cut off again.
    """
    filled, count = _never_empty(inputs)
    # REST clients cannot read bfloat16 and float16.
    return [tf.cast(x, tf.float32)[:count] for x in model(filled, training=False)]


def _never_empty(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The same batch, or one blank row if it has none, and how many rows it had."""
    count = tf.shape(inputs)[0]
    blank = tf.zeros([1, *inputs.shape[1:]], inputs.dtype)
    filled = tf.cond(count > 0, lambda: inputs, lambda: blank)
    return tf.ensure_shape(filled, inputs.shape), count
