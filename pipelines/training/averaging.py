"""An exponential moving average of the weights, in place of those of the last step.

The optimizer of Keras keeps it. What such averages do, and why validation has to be of
the average, is in https://arxiv.org/abs/2411.18704.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras

from pipelines.planning.plan import Phase


def averaged(phase: Phase) -> Sequence[keras.callbacks.Callback]:
    """What puts the average into the model for validation, if a phase has one.

    The average stays there while an epoch ends: callbacks after this one, such as
    `BestWeights`, take what was validated, and those before it see the weights as
    trained. Which of the two a model has when fit returns depends on why training
    ended; what is kept is what `BestWeights` took.
    """
    if phase.ema_decay == 0:
        return ()
    return (keras.callbacks.SwapEMAWeights(swap_on_epoch=True),)
