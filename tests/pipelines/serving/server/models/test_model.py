"""Versions of a model: the ones that answer, and how requests name them."""

from pathlib import Path

from pipelines.serving.server.models.model import (
    Loaded,
    Model,
    State,
    Target,
    Version,
)
from pipelines.serving.server.models.model_config import ModelConfig


def _model(**states: State) -> Model:
    model = Model(ModelConfig("m", Path("/models/m")))
    for name, state in states.items():
        version = Version(int(name.removeprefix("v")), state)
        # What it would compute with plays no part here.
        version.loaded = Loaded(version, servable=None, batcher=None)
        model.versions[version.number] = version
    return model


def test_available_versions_answer_newest_last():
    model = _model(v7=State.AVAILABLE, v2=State.AVAILABLE, v9=State.LOADING)
    assert list(model.loaded) == [2, 7]
    assert not model.is_letting_go
    assert _model(v1=State.UNLOADING).is_letting_go


def test_held_version_counts_its_requests():
    loaded = _model(v1=State.AVAILABLE).loaded[1]
    with loaded.held() as held, loaded.held():
        assert held is loaded
        assert loaded.version.in_flight == 2
    assert loaded.version.in_flight == 0


def test_target_is_named_as_in_tensorflow_serving():
    assert str(Target("m")) == "Latest(m)"
    assert str(Target("m", version=3)) == "Specific(m, 3)"
