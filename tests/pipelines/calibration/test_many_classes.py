"""Thousands of classes: the same numbers as of few, in portions, and right ones."""

import json
import tracemalloc

import numpy as np
import pytest
from scipy.special import log_softmax

from pipelines.calibration import feature_space, portions, temperature
from pipelines.calibration.calibration import calibrate
from pipelines.calibration.feature_space import fit_feature_space
from pipelines.calibration.reliability import calibration_error, reliability
from pipelines.calibration.temperature import choose_temperature
from pipelines.calibration.thresholds import energies, set_threshold
from pipelines.config import CalibrationConfig
from pipelines.display.audit_table import audit_table
from pipelines.display.evaluation_table import evaluation_table
from pipelines.probing import ridge
from pipelines.probing.probe import linear_probe, score, score_of_all
from pipelines.probing.rows import spread
from pipelines.problems.class_reports import MATRIX_CLASSES, summarize
from pipelines.report import confusion_page
from pipelines.runs.folder import as_json


def _clusters(classes, per_class, *, width=64, noise=0.6, seed=0):
    centres = np.random.default_rng(9).normal(0, 1, (classes, width))
    labels = np.arange(classes * per_class) % classes
    noisy = np.random.default_rng(seed).normal(0, noise, (len(labels), width))
    return (centres[labels] + noisy).astype(np.float32), labels


def _logits(n, classes, *, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(0, 1, (n, classes)).astype(np.float32)
    logits[np.arange(n), labels] += 4
    return logits, labels


def test_portions_cover_every_row_once():
    found = list(portions.portions(1000, 10_000))
    assert [one.start for one in found] == list(range(0, 1000, 419))
    assert [one.stop for one in found][:-1] == [one.start for one in found][1:]
    assert found[-1].stop == 1000
    assert list(portions.portions(1000, 100)) == [slice(0, 1000)]
    assert list(portions.portions(2, 10**8)) == [slice(0, 1), slice(1, 2)]
    assert list(portions.portions(0, 5)) == []


@pytest.mark.parametrize("shape", [(60, 90), (150, 20)], ids=["wide", "long"])
def test_a_ridge_in_portions_is_the_same(shape, monkeypatch):
    rows, width = shape
    labels = np.arange(rows) % 30
    x = np.random.default_rng(0).normal(size=shape) + 0.1 * labels[:, None]
    whole = ridge.solve(x, labels, penalty=0.3)
    monkeypatch.setattr(portions, "AT_ONCE", 7 * max(shape))
    parts = ridge.solve(x, labels, penalty=0.3)
    for found, wanted in zip(parts, whole):
        np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("shape", [(60, 90), (150, 20)], ids=["wide", "long"])
@pytest.mark.parametrize("sizes", [(1,), (1, 2, 3)], ids=str)
def test_left_out_of_some_rows_equals_the_path(shape, sizes, monkeypatch):
    rows, _ = shape
    labels = np.arange(rows) % 10
    x = np.random.default_rng(0).normal(size=shape) + 0.3 * labels[:, None]
    groups = np.repeat(np.arange(rows), np.resize(sizes, rows))[:rows]
    whole = ridge.fit(x, labels, groups=groups)
    judged = np.flatnonzero(groups % 3 == 0)
    monkeypatch.setattr(ridge, "_AT_ONCE", 5 * rows)
    found = ridge.left_out(x, labels, judged, penalty=whole.penalty, groups=groups)
    np.testing.assert_allclose(found, whole.left_out[judged], atol=1e-4)


@pytest.mark.parametrize("classes", [300, 2000])
def test_confidence_matches_accuracy_with_many_classes(classes):
    x, labels = _clusters(classes, 6)
    others, other_labels = _clusters(classes, 1, seed=1)
    rows = spread(labels, count=1000, seed=0)
    some = score([x[rows]], labels[rows], groups=None, reads=("a",), grid=1)
    assert some.accuracy > 0.9
    judged = np.sort(np.random.default_rng(0).permutation(len(x))[:600])
    found = score_of_all([x], labels, judged, groups=None, scored=some)
    probe = linear_probe([x], labels, found)
    logits = probe.standardization([others]) @ probe.kernel + probe.bias
    right = (logits.argmax(axis=1) == other_labels).mean()
    assert found.accuracy == pytest.approx(right, abs=0.08)
    # Sure enough: 9.5, which suits ten classes, would be a confidence of nearly 0.
    log_p = log_softmax(logits, axis=1)
    assert calibration_error(np.exp(log_p), other_labels) < 0.15
    assert found.sharpness > 100


def test_one_example_of_many_classes_gives_confidence():
    x, labels = _clusters(1000, 1)
    found = score([x], labels, groups=None, reads=("a",), grid=1)
    few = score([x[:60]], labels[:60], groups=None, reads=("a",), grid=1)
    assert few.sharpness == 9.5
    assert found.sharpness == pytest.approx(190)


def test_measures_in_portions_are_the_same(monkeypatch):
    logits, labels = _logits(500, 40)
    log_p = log_softmax(logits.astype(float), axis=1)
    whole = reliability(log_p, labels)
    strange = energies(logits)
    monkeypatch.setattr(portions, "AT_ONCE", 40 * 33)
    assert reliability(log_p, labels) == whole
    np.testing.assert_array_equal(energies(logits), strange)


def test_a_calibration_in_portions_is_the_same(monkeypatch):
    logits, labels = _logits(400, 30)
    x, train_labels = _clusters(30, 10, width=16)
    features = x[labels]

    def found():
        return calibrate(
            logits, labels, features, x, train_labels, calibration=CalibrationConfig()
        )

    whole = found()
    probabilities = np.exp(whole.scaling.log_probabilities(logits))
    for level, threshold in whole.set_thresholds:
        wanted = set_threshold(probabilities, labels, level=level)
        assert threshold == pytest.approx(wanted, rel=1e-9)
    distances = whole.space.distances(features)
    # Those of the scaling and of the space are chosen from all of few examples.
    monkeypatch.setattr(portions, "AT_ONCE", 30 * 37)
    assert found() == whole
    np.testing.assert_allclose(found().space.distances(features), distances, rtol=1e-9)


def test_a_temperature_of_many_classes_samples_examples(monkeypatch):
    logits, labels = _logits(1500, 400)
    monkeypatch.setattr(temperature, "AT_ONCE", 400 * 800)
    whole, reason = choose_temperature(logits, labels, method="auto")
    assert whole.temperature == pytest.approx(0.25, rel=0.1)
    assert "on 800 held-out examples" in reason
    assert "the smallest class has 0 of 800 sampled" in reason
    # Scores of a ridge on so many classes differ by thousandths.
    cold, _ = choose_temperature(logits / 200, labels, method="auto")
    assert cold.temperature == pytest.approx(whole.temperature / 200, rel=0.02)


def test_a_temperature_at_its_bound_is_reported():
    logits, labels = _logits(300, 5)
    found, reason = choose_temperature(logits * 1e-3, labels, method="temperature")
    assert found.temperature == pytest.approx(0.05)
    assert "The temperature is the lowest one allowed, 0.05" in reason
    _, reason = choose_temperature(logits, labels, method="temperature")
    assert "lowest" not in reason


def test_a_temperature_without_gain_is_not_kept():
    """A few examples, right as often as the model says."""
    rng = np.random.default_rng(0)
    kept = 0
    for _ in range(15):
        true = rng.normal(0, 2, (40, 4))
        labels = (true + rng.gumbel(size=true.shape)).argmax(axis=1)
        kept += choose_temperature(true, labels, method="auto")[0].method != "none"
    # Chance alone is a gain by over a standard error in about a sixth.
    assert kept <= 15 / 5


def test_a_space_of_many_rows_samples_them(monkeypatch):
    x, labels = _clusters(200, 10, width=40)
    whole = fit_feature_space(x, labels).distances(x)
    monkeypatch.setattr(feature_space, "_FEWEST_FITTED", 1500)
    monkeypatch.setattr(feature_space, "_MOST_FITTED_NUMBERS", 1)
    monkeypatch.setattr(portions, "AT_ONCE", 333 * 200)
    part = fit_feature_space(x, labels)
    assert part.means.shape[0] == 200
    far = np.corrcoef(part.distances(x), whole)[0, 1]
    assert far > 0.9


def _summary(classes, *, wrong=0.2):
    n = 2 * classes
    labels = np.arange(n) % classes
    shift = np.random.default_rng(0).random(n) < wrong
    logs = np.full((n, classes), -9.0, np.float32)
    logs[np.arange(n), (labels + shift) % classes] = -0.1
    names = [f"class {i}" for i in range(classes)]
    return summarize("test", labels=labels, log_probabilities=logs, class_names=names)


def test_confusion_of_many_classes_lists_occurring_pairs():
    few = _summary(MATRIX_CLASSES)
    assert few.confusion_form == "matrix"
    assert np.array(few.confusion).shape == (MATRIX_CLASSES, MATRIX_CLASSES)
    many = _summary(MATRIX_CLASSES + 1)
    assert many.confusion_form == "pairs"
    truth, answer, count = np.array(many.confusion).T
    assert count.sum() == many.examples == 2 * (MATRIX_CLASSES + 1)
    assert count[truth == answer].sum() == round(many.accuracy * many.examples)
    assert ((answer - truth) % (MATRIX_CLASSES + 1) <= 1).all()


def test_report_size_grows_linearly_with_classes():
    sizes = [len(json.dumps(vars(_summary(classes)))) for classes in (300, 1200)]
    assert sizes[1] < 4.5 * sizes[0]


def test_a_summary_takes_memory_linear_in_classes():
    n, classes = 500, 8000
    labels = np.arange(n)
    logs = np.zeros((n, classes), np.float32)
    names = [str(i) for i in range(classes)]
    tracemalloc.start()
    summarize("test", labels=labels, log_probabilities=logs, class_names=names)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A matrix of all pairs would be 512 MB.
    assert peak < 100e6


def test_terminals_show_some_of_many_classes():
    one = {"precision": 1.0, "recall": 0.5, "f1": 0.5, "examples": 4}
    worst = one | {"f1": 0.1}
    unseen = one | {"f1": 0.0, "examples": 0}
    per_class = {f"c{i}": one for i in range(500)} | {"bad": worst, "unseen": unseen}
    table = evaluation_table(
        {
            "accuracy": 0.75,
            "calibration_error": 0.03,
            "balanced_accuracy": 0.5,
            "examples": 8,
            "per_class": per_class,
        }
    ).splitlines()
    assert len(table) < 40
    assert "the 30 classes with the lowest f1, of 502; --json has all" in table
    assert table[5].split() == ["bad", "1.000", "0.500", "0.100", "4"]
    assert not any("unseen" in line for line in table)
    counts = {f"c{i}": i for i in range(1, 302)}
    survey = audit_table({"examples": 9, "counts": counts, "findings": []})
    assert survey.splitlines()[0] == (
        "9 examples in 301 classes: the largest c301 301, c300 300, c299 299; half"
        " have 151 or more; the smallest c3 3, c2 2, c1 1"
    )


def test_files_have_short_lists_on_one_line():
    values = {
        "a": {"precision": 0.5, "examples": 3},
        'two "lines"\n': [[i, i + 1, 7] for i in range(40)],
        "none": [],
        "deep": {"er": {"still": ["x" * 50, None, True, -1e-9, "y" * 40]}},
    }
    text = as_json(values)
    assert json.loads(text) == values
    assert max(map(len, text.splitlines())) <= 88
    assert '  "a": {"precision": 0.5, "examples": 3},' in text.splitlines()
    assert len(text.splitlines()) < 70
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_json({"a": [float("nan")]})


def test_a_page_shows_the_most_frequent_pairs():
    pairs = [(i, i, 5) for i in range(300)] + [(i, i + 1, 1) for i in range(50)]
    pairs.append((7, 250, 4))
    names = [f"class {i}" for i in range(300)]
    page = confusion_page.confusion("test", pairs, names, form="pairs")
    assert "54 of 1554 examples were wrong" in page
    rows = page.split("<tbody>")[1].split("</tr>")
    assert "class 7" in rows[0]
    assert "class 250" in rows[0]
    assert "0.4000" in rows[0]  # 4 of its 5 + 1 + 4
    assert len(rows) == 41
    assert "11 other pairs" in page
