"""A trial that falls behind the others is ended."""

import keras
import numpy as np
import pytest

from pipelines.runs.objective import PruneByMedian

optuna = pytest.importorskip("optuna")


def test_epochs_below_the_median_end_a_trial():
    study = optuna.create_study(
        direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=3)
    )
    for _ in range(3):
        good = study.ask()
        good.report(2.0, 1)
        study.tell(good, 2.0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    x, y = np.ones((8, 2), np.float32), np.arange(8) % 2
    trial = study.ask()
    with pytest.raises(optuna.TrialPruned, match="after epoch 1"):
        model.fit(
            x,
            y,
            validation_data=(x, y),
            epochs=5,
            verbose=0,
            callbacks=[PruneByMedian(trial)],
        )
    assert "worse than the median" in trial.user_attrs["reason"]
