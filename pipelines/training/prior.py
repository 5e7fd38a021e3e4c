"""Logit adjustment: training with the prior, so that predictions do without it."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np


@keras.saving.register_keras_serializable("zootune")
class PriorInTraining(keras.layers.Layer):
    """Adds the log prior to logits in training, and nothing at any other time.

    The cross-entropy of what comes out is the loss of https://arxiv.org/abs/2007.07314,
    also for soft labels: logits learn what tells classes apart, and not how many there
    are.
    """

    def __init__(self, log_prior: Sequence[float], **layer_options: object) -> None:
        super().__init__(**{"dtype": "float32", **layer_options})
        self.log_prior = [float(value) for value in log_prior]

    def call(self, logits, training=False):
        return logits + np.float32(self.log_prior) if training else logits

    def get_config(self):
        return {**super().get_config(), "log_prior": self.log_prior}


def with_prior(model: keras.Model, log_prior: np.ndarray) -> keras.Model:
    """A model to train that shares its layers with `model`, which is to be used."""
    return keras.Model(model.input, PriorInTraining(log_prior.tolist())(model.output))
