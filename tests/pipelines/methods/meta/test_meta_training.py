import dataclasses

import numpy as np
import pytest

from pipelines.errors import ConfigError, TrainingError
from pipelines.methods.meta import rounds, saved
from pipelines.methods.meta.meta_training import MetaSetting, meta_train
from pipelines.methods.meta.update_rule import new_rule


class StoppedError(Exception):
    """Stands for a process that was ended."""


@pytest.fixture
def setting(tasks):
    return MetaSetting(tasks, rounds=4, steps=20)


def trained(parts, setting, folder, *, stop_after=None):
    def on_progress(done):
        if done == stop_after:
            raise StoppedError

    return meta_train(
        parts[0],
        setting,
        progress_file=folder / "progress.npz",
        settings={},
        on_progress=on_progress,
    )


def test_resumed_is_the_same_to_the_bit(parts, setting, tmp_path, monkeypatch):
    monkeypatch.setattr(rounds, "_SAVE_EVERY", 2)
    (tmp_path / "whole").mkdir()
    whole, losses = trained(parts, setting, tmp_path / "whole")
    with pytest.raises(StoppedError):  # the third round is lost, and done again
        trained(parts, setting, tmp_path, stop_after=3)
    again, losses_again = trained(parts, setting, tmp_path)
    assert again.encoded() == whole.encoded() != new_rule(0).encoded()
    assert losses_again == losses
    progress = saved.load_progress(
        tmp_path / "progress.npz", {}, method=saved.OPTIMIZER
    )
    other = dataclasses.replace(progress, moments=progress.moments[1:])
    saved.save_progress(tmp_path / "progress.npz", other, method=saved.OPTIMIZER)
    with pytest.raises(ConfigError, match="arrays of other shapes"):
        trained(parts, setting, tmp_path)


def test_rounds_lower_the_loss(parts, setting, tmp_path):
    _, losses = trained(parts, dataclasses.replace(setting, rounds=25), tmp_path)
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


def test_numbers_that_are_not_finite_end_it(parts, setting, tmp_path):
    broken = dataclasses.replace(parts[0], features=parts[0].features * np.nan)
    with pytest.raises(TrainingError, match="smaller --rate"):
        trained([broken], setting, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("field", "value"), [("rounds", 0), ("steps", 10), ("steps", 30), ("rate", 0.0)]
)
def test_settings_out_of_bounds_are_refused(setting, field, value):
    with pytest.raises(ConfigError, match=f"{field} is {value}; allowed"):
        dataclasses.replace(setting, **{field: value}).check()
