"""Fine-tuning as other projects do it, with their published settings.

Each takes raw pixels uint8 `[n, size, size, 3]` and labels, and returns a function from
pixels to the most likely labels. All start from the same backbone and weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from zoo.builder import Backbone

Classify = Callable[[np.ndarray], np.ndarray]
Peer = Callable[[Backbone, np.ndarray, np.ndarray, int, int], Classify]


def keras_guide(
    backbone: Backbone, x: np.ndarray, y: np.ndarray, classes: int, seed: int
) -> Classify:
    """The transfer-learning guide of Keras: 20 epochs frozen, 10 with all unfrozen.

    Flips and rotations up to a tenth of a turn, dropout 0.2, batches of 64, Adam at
    1e-3 and then 1e-5 (https://keras.io/guides/transfer_learning).
    """
    base = backbone.model
    base.trainable = False
    inputs = keras.Input(base.input_shape[1:])
    flipped = layers.RandomFlip("horizontal", seed=seed)(inputs)
    turned = layers.RandomRotation(0.1, seed=seed)(flipped)
    pooled = layers.GlobalAveragePooling2D()(base(turned, training=False))
    model = keras.Model(
        inputs, layers.Dense(classes)(layers.Dropout(0.2, seed=seed)(pooled))
    )
    pixels = x.astype(np.float32)
    for trainable, rate, epochs in ((False, 1e-3, 20), (True, 1e-5, 10)):
        base.trainable = trainable
        model.compile(
            keras.optimizers.Adam(rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        model.fit(pixels, y, batch_size=64, epochs=epochs, verbose=0)
    return _by_model(model)


def make_image_classifier(
    backbone: Backbone, x: np.ndarray, y: np.ndarray, classes: int, seed: int
) -> Classify:
    """The retraining tool of TensorFlow Hub: 5 epochs of the classifier alone.

    Batches of 32, SGD at 0.005 with momentum 0.9, dropout 0.2, L2 1e-4, label
    smoothing 0.1 (https://github.com/tensorflow/hub, make_image_classifier_lib.py).
    """
    base = backbone.model
    base.trainable = False
    pooled = layers.GlobalAveragePooling2D()(base(base.input, training=False))
    probabilities = layers.Dense(
        classes, activation="softmax", kernel_regularizer=keras.regularizers.L2(1e-4)
    )(layers.Dropout(0.2, seed=seed)(pooled))
    model = keras.Model(base.input, probabilities)
    model.compile(
        keras.optimizers.SGD(0.005, momentum=0.9),
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
    )
    targets = np.eye(classes, dtype=np.float32)[y]
    model.fit(x, targets, batch_size=32, epochs=5, verbose=0)
    return _by_model(model)


def fastai(
    backbone: Backbone, x: np.ndarray, y: np.ndarray, classes: int, seed: int
) -> Classify:
    """`vision_learner(...).fine_tune(5)`: one frozen epoch, then five with all.

    Average and maximum pooling, and two dense layers with BatchNormalization; AdamW in
    one cycle at 2e-3, then from 1e-5 in the first third of the network to 1e-3 in the
    head; statistics are learned throughout; batches of 64, or of all if fewer.
    Momentum stays at 0.9, where fastai's goes from 0.95 to 0.85 and back
    (https://docs.fast.ai/callback.schedule.html, https://docs.fast.ai/vision.learner).
    """
    base = backbone.model
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # PyTorch's default
    h = layers.Concatenate()(
        [
            layers.GlobalAveragePooling2D()(base.output),
            layers.GlobalMaxPooling2D()(base.output),
        ]
    )
    h = _normalized(h)
    h = layers.Dropout(0.25, seed=seed)(h)
    h = layers.Dense(512, use_bias=False, activation="relu")(h)
    h = _normalized(h)
    h = layers.Dropout(0.5, seed=seed)(h)
    model = keras.Model(base.input, layers.Dense(classes, use_bias=False)(h))
    blocks = backbone.blocks
    lower = {
        id(v)
        for block in blocks[: len(blocks) // 2]
        for layer in block.layers
        for v in layer.trainable_variables
    }
    whole = {id(v) for v in base.trainable_variables}
    statistics = {
        id(v)
        for layer in base.layers
        if isinstance(layer, layers.BatchNormalization)
        for v in layer.trainable_variables
    }
    groups = [
        [v for v in model.trainable_variables if id(v) in lower],
        [v for v in model.trainable_variables if id(v) in whole - lower],
        [v for v in model.trainable_variables if id(v) not in whole],
    ]
    # BatchNormalization learns in the frozen epoch too (`train_bn`).
    frozen_epoch = [[v for v in some if id(v) in statistics] for some in groups[:2]]
    cycle = _OneCycle(model, x, y, seed)
    cycle.fit([*frozen_epoch, groups[2]], (2e-3,) * 3, 1, rise=0.99, divisor=25.0)
    cycle.fit(groups, (1e-5, 1e-4, 1e-3), 5, rise=0.3, divisor=5.0)
    return _by_model(model)


def logistic_regression(
    backbone: Backbone, x: np.ndarray, y: np.ndarray, classes: int, seed: int
) -> Classify:
    """scikit-learn's, on the standardized average of the last block's output."""
    del classes, seed
    base = backbone.model
    pooled = layers.GlobalAveragePooling2D()(base(base.input, training=False))
    features = keras.Model(base.input, pooled)
    seen = features.predict(x, verbose=0)
    scaler = StandardScaler().fit(seen)
    regression = LogisticRegression(max_iter=1000).fit(scaler.transform(seen), y)
    return lambda pixels: regression.predict(
        scaler.transform(features.predict(pixels, verbose=0))
    )


PEERS: dict[str, Peer] = {
    "keras guide": keras_guide,
    "make_image_classifier": make_image_classifier,
    "fastai": fastai,
    "logistic regression": logistic_regression,
}


class _OneCycle:
    """AdamW at rates that rise and fall by cosines, one for each group of weights."""

    def __init__(
        self, model: keras.Model, x: np.ndarray, y: np.ndarray, seed: int
    ) -> None:
        self._model, self._x, self._y = model, x, y
        self._rng = np.random.default_rng(seed)
        self._loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def fit(
        self,
        groups: list[list[keras.Variable]],
        rates: Sequence[float],
        epochs: int,
        *,
        rise: float,
        divisor: float,
    ) -> None:
        optimizers = []
        given = [(some, rate) for some, rate in zip(groups, rates) if some]
        groups, rates = [list(column) for column in zip(*given)]
        for variables, rate in given:
            optimizer = keras.optimizers.AdamW(
                rate, weight_decay=0.01, beta_2=0.99, epsilon=1e-5
            )
            optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
            optimizer.build(variables)
            optimizers.append(optimizer)
        step = self._step(groups, optimizers)
        batches = [rows for _ in range(epochs) for rows in self._epoch()]
        for i, rows in enumerate(batches):
            share = i / max(len(batches) - 1, 1)
            for optimizer, rate in zip(optimizers, rates):
                optimizer.learning_rate.assign(
                    _cycle(share, rate / divisor, rate, rate / 1e5, rise)
                )
            step(tf.constant(self._x[rows]), tf.constant(self._y[rows]))

    def _epoch(self) -> Iterator[np.ndarray]:
        """Batches of one size: an incomplete last one is dropped, as fastai does."""
        size = min(64, len(self._x))
        order = self._rng.permutation(len(self._x))
        for first in range(0, len(order) - size + 1, size):
            yield order[first : first + size]

    def _step(
        self,
        groups: list[list[keras.Variable]],
        optimizers: list[keras.optimizers.Optimizer],
    ) -> Callable[[tf.Tensor, tf.Tensor], None]:
        @tf.function
        def step(pixels: tf.Tensor, labels: tf.Tensor) -> None:
            variables = [v.value for some in groups for v in some]
            with tf.GradientTape() as tape:
                logits = self._model(pixels, training=True)
                loss = self._loss(labels, logits)
            gradients = iter(tape.gradient(loss, variables))
            for optimizer, some in zip(optimizers, groups):
                optimizer.apply([next(gradients) for _ in some], some)

        return step


def _cycle(share: float, start: float, top: float, end: float, rise: float) -> float:
    def cosine(a: float, b: float, part: float) -> float:
        return a + (b - a) * (1 - math.cos(math.pi * part)) / 2

    if share < rise:
        return cosine(start, top, share / rise)
    return cosine(top, end, (share - rise) / (1 - rise))


def _normalized(h: keras.KerasTensor) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(h)


def _by_model(model: keras.Model) -> Classify:
    return lambda pixels: model.predict(pixels, verbose=0).argmax(axis=1)
