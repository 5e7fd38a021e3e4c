"""Estimators of scikit-learn around a run."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import zootune
from pipelines.data.sounds.wave_file import wave_bytes
from pipelines.errors import DataError

STEPS = 20
Y = np.array(["up", "down"])[np.arange(60) % 2]
X = np.random.default_rng(0).normal(size=(60, STEPS)) + 2.0 * (Y == "up")[:, None]


def tiny(**parameters):
    return zootune.SeriesClassifier(effort="seconds", **parameters)


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(X, Y)


def test_labels_come_back_as_they_were(fitted):
    assert fitted.classes_.tolist() == ["down", "up"]
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (60, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    best = fitted.classes_[probabilities.argmax(axis=1)]
    assert fitted.predict(X).tolist() == best.tolist()
    assert fitted.score(X, Y) > 0.8
    assert 0 <= fitted.report_["test"]["accuracy"] <= 1


def test_parameters_are_those_of_the_constructor():
    estimator = tiny(validation=0.2)
    copy = clone(estimator)
    assert copy is not estimator
    assert copy.get_params() == estimator.get_params()
    assert copy.set_params(seed=3).seed == 3


def test_pickled_estimator_answers_the_same(fitted):
    copy = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(copy.predict_proba(X), fitted.predict_proba(X))


def test_search_over_a_pipeline_takes_it():
    steps = make_pipeline(FunctionTransformer(), tiny())
    search = GridSearchCV(steps, {"seriesclassifier__seed": [0]}, cv=2, refit=False)
    search.fit(X, Y)
    assert search.cv_results_["mean_test_score"][0] > 0.6


def test_numbers_have_the_shape_of_y():
    estimator = zootune.SeriesRegressor(effort="seconds")
    y = X.mean(axis=1)
    assert estimator.fit(X, y).predict(X[:3]).shape == (3,)
    assert estimator.score(X, y) > 0.5


def test_before_fit_there_is_no_answer():
    with pytest.raises(NotFittedError):
        tiny().predict(X)


def test_example_without_an_answer_is_refused(fitted):
    with pytest.raises(DataError, match="Example 1 cannot be read"):
        fitted.predict(np.stack([X[0], np.full(STEPS, np.inf)]))


def test_data_of_another_kind_are_refused():
    with pytest.raises(DataError, match=r"one value\s+for each of the 60 series"):
        tiny().fit(X, Y[:-1])


def noises(count):
    """Tones and noise of a tenth of a second, as the bytes of WAV files."""
    draw, time = np.random.default_rng(0), np.arange(2400) / 8000
    values = [
        np.sin(2 * np.pi * draw.uniform(300, 900) * time)
        if i % 2
        else draw.uniform(-1, 1, len(time))
        for i in range(count)
    ]
    return [wave_bytes(0.5 * value, 8000) for value in values]


def test_sounds_are_paths_or_bytes(tmp_path):
    sounds, labels = noises(24), np.array(["noise", "tone"])[np.arange(24) % 2]
    (tmp_path / "one.wav").write_bytes(sounds[0])
    mixed = [tmp_path / "one.wav", *sounds[1:]]
    workdir = tmp_path / "run"
    estimator = zootune.SoundClassifier(effort="seconds", workdir=str(workdir))
    estimator.fit(mixed, labels, sample_weight=np.ones(24))
    assert estimator.score(sounds, labels) > 0.9
    assert estimator.report_["backbone"]["name"] == "sound_minirocket"
    assert len(list((tmp_path / "run_sounds").glob("*.wav"))) == 24
    cut = sounds[0][:-200]
    with pytest.raises(DataError, match="Example 1 cannot be read.*cut short"):
        estimator.predict([sounds[0], cut])


def test_sounds_of_another_kind_are_refused(tmp_path):
    estimator = zootune.SoundClassifier(workdir=str(tmp_path / "run"))
    with pytest.raises(DataError, match=r"ndarray came.*\n?.*bytes of a WAV"):
        estimator.fit([np.zeros(800)] * 4, [0, 1, 0, 1])
    with pytest.raises(DataError, match="4 sounds, and 3 values of label"):
        estimator.fit(noises(4), [0, 1, 0])
