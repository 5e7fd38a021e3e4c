"""An exponential moving average of the weights, in place of those of the last step.

The optimizer of Keras keeps it. What such averages do, and why validation has to be of
the average, is in https://arxiv.org/abs/2411.18704.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from pipelines.planning.plan import Phase


class Average(keras.callbacks.SwapEMAWeights):
    """Keras' callback, which goes on after a break."""

    def get_state(self) -> tuple[dict[str, Any], Sequence[np.ndarray]]:
        """Whether the model has the average, for a checkpoint."""
        return {"in_model": self._ema_weights_in_model}, ()

    def set_state(
        self, values: Mapping[str, Any], arrays: Sequence[np.ndarray]
    ) -> None:
        """Goes on from what was remembered, with the weights as trained."""
        # Saved when an epoch had ended; this one's beginning is over.
        if values["in_model"]:
            self._swap_variables()


def averaged(phase: Phase) -> Sequence[Average]:
    """What puts the average into the model for validation, if a phase has one.

    The average stays there while an epoch ends: callbacks after this one, such as
    `BestWeights`, take what was validated, and those before it see the weights as
    trained. Which of the two a model has when fit returns depends on why training
    ended; what is kept is what `BestWeights` took.
    """
    if phase.ema_decay == 0:
        return ()
    return (Average(swap_on_epoch=True),)
