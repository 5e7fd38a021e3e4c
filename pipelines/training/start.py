"""What a phase starts from, and is compared with."""

from __future__ import annotations

import keras
import numpy as np


class Start:
    """The values of all weights of a model at one moment, by variable.

    So they are found again in any model that shares some of the variables, in its own
    order, whatever was added to its layers and taken away since.
    """

    def __init__(self, model: keras.Model) -> None:
        self._values = {
            id(variable): keras.ops.convert_to_numpy(variable).copy()
            for variable in model.weights
        }

    def of(self, model: keras.Model) -> list[np.ndarray]:
        """The values for `model.set_weights`."""
        return [self._values[id(variable)] for variable in model.weights]
