"""Meta-training of a backbone: it gains on classes it never saw, and is published."""

import json

import numpy as np
import pytest

import zoo
from pipelines.errors import ConfigError, DataError
from pipelines.methods.episodic.run import train_in_episodes
from pipelines.methods.episodic.training import EpisodicSetting
from pipelines.methods.few_shot.episodes import Setting
from pipelines.stages.publish import publish
from tests.pipelines.methods.episodic.conftest import DATA


@pytest.fixture(scope="module")
def setting(episode):
    return EpisodicSetting(episode, rounds=60, rate=1e-3, blocks=3)


@pytest.fixture(scope="module")
def trained(setting, source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("episodic") / "meta"
    return train_in_episodes(DATA, setting, source=source, folder=folder), folder


def test_untrained_network_gains_on_new_classes(trained):
    result, _ = trained
    assert result.gain > result.interval
    assert result.after - result.before == pytest.approx(result.gain)
    assert result.losses[-1] < result.losses[0]
    assert result.classes == (5, 5)


def test_published_backbone_has_the_trained_weights(trained):
    result, folder = trained
    spec = publish(folder, name="of_episodes")
    record = json.loads((folder / "meta.json").read_text())
    again = zoo.build(spec.name, input_size_px=16)
    kept = folder / "checkpoints" / record["backbone"]["file"]
    wanted = zoo.build("tiny_image", weights=kept, input_size_px=16)
    for one, other in zip(again.model.get_weights(), wanted.model.get_weights()):
        np.testing.assert_array_equal(one, other)
    assert record["test"]["few_shot_accuracy"] == result.after


def test_the_same_call_ends_where_it_was(trained, setting, source):
    result, folder = trained
    again = train_in_episodes(DATA, setting, source=source, folder=folder)
    assert (again.losses, again.after) == (result.losses, result.after)


def test_tasks_that_cannot_be_drawn_are_refused(source, tmp_path):
    for episode, kind, words in (
        (Setting(ways=6), DataError, "tasks of 6 classes take 12"),
        (Setting(ways=1), ConfigError, "An episode of one class"),
    ):
        with pytest.raises(kind, match=words):
            train_in_episodes(
                DATA, EpisodicSetting(episode), source=source, folder=tmp_path / "m"
            )
    assert not (tmp_path / "m").exists()
