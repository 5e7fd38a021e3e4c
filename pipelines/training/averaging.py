"""An exponential moving average of the weights, in place of those of the last step.

The optimizer of Keras keeps the average. https://arxiv.org/abs/2411.18704 measures
its effect, and says why validation has to use the average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from pipelines.planning.plan import Phase


class Average(keras.callbacks.SwapEMAWeights):
    """Keras' callback, which also resumes from a checkpoint."""

    def get_state(self) -> tuple[dict[str, Any], Sequence[np.ndarray]]:
        """A flag for a checkpoint: true if the model has the average."""
        return {"in_model": self._ema_weights_in_model}, ()

    def set_state(
        self, values: Mapping[str, Any], arrays: Sequence[np.ndarray]
    ) -> None:
        """Restores the state that `get_state` returned."""
        # Saved at the end of an epoch, and restored after the next one has begun, which
        # is when Keras would have swapped the weights.
        if values["in_model"]:
            self._swap_variables()


def averaged(phase: Phase) -> Sequence[Average]:
    """The callback that puts the average into the model for validation, if any.

    The average stays in the model while an epoch ends: callbacks after this one, such
    as `BestWeights`, see the weights that were validated, and callbacks before it the
    weights as trained. After `fit` the model may have either, depending on why training
    ended; `BestWeights` has the ones to keep.
    """
    if phase.ema_decay == 0:
        return ()
    return (Average(swap_on_epoch=True),)
