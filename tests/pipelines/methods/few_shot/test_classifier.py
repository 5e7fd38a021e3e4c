import numpy as np
import pytest

import zootune
from pipelines.errors import ConfigError, DataError


def test_it_is_part_of_the_public_api(fitted):
    assert isinstance(fitted, zootune.FewShotClassifier)
    assert "FewShotClassifier" in zootune.__all__


def test_added_class_equals_a_new_fit(fitted, new_classifier, some, digits):
    new = digits["d4"][:4]
    fitted.add_class("d4", list(new))
    images, labels = some
    again = new_classifier().fit(
        np.concatenate([images, new]), np.append(labels, ["d4"] * 4)
    )
    queries = np.concatenate([part[10:20] for part in digits.values()])
    assert fitted.classes_.tolist() == ["d0", "d1", "d2", "d3", "d4"]
    np.testing.assert_allclose(
        fitted.predict_proba(queries), again.predict_proba(queries), atol=1e-9
    )
    fitted.remove_class("d4")
    assert fitted.classes_.tolist() == ["d0", "d1", "d2", "d3"]


def test_forgotten_example_was_never_there(fitted, new_classifier, some):
    images, labels = some
    fitted.forget(images[5])
    without = np.arange(len(images)) != 5
    again = new_classifier().fit(images[without], labels[without])
    np.testing.assert_allclose(
        fitted.predict_proba(images), again.predict_proba(images), atol=1e-9
    )
    with pytest.raises(DataError, match="No example that was learned"):
        fitted.forget(images[5])
    assert len(fitted._proof) == len(images) - 1
    assert not (fitted._proof.pixels == images[5]).all(axis=(1, 2, 3)).any()


def test_new_images_are_recognized(fitted, digits):
    names = ("d0", "d1", "d2", "d3")
    queries = np.concatenate([digits[name][20:40] for name in names])
    assert fitted.score(queries, np.repeat(names, 20)) > 0.7
    np.testing.assert_allclose(fitted.predict_proba(queries).sum(axis=1), 1)


def test_base_data_give_the_mean(new_classifier, some, digits):
    others = np.concatenate([digits["d7"][:20], digits["d8"][:20]])
    base = others, np.repeat(["d7", "d8"], 20)
    classifier = new_classifier(base=base).fit(*some)
    assert classifier._normalize is classifier._base_normalization
    assert (classifier._normalize.scale != 1).any()


def test_kept_bytes_are_features_and_hashes(fitted, some):
    images = some[0]
    width = fitted._kept.rows()[0].shape[1]
    assert fitted.kept_bytes == len(images) * (2 * width + 64)
    assert 1280 * (2 * 1280 + 64) < 3.5e6  # as many examples as features


def test_saved_classifier_answers_and_learns_on(fitted, some, digits, tmp_path):
    fitted.save(tmp_path / "shots.npz")
    loaded = type(fitted).load(tmp_path / "shots.npz")
    np.testing.assert_array_equal(
        loaded.predict_proba(some[0]), fitted.predict_proba(some[0])
    )
    assert "d9" in loaded.add_class("d9", digits["d9"][:2]).classes_
    loaded._source, loaded._fingerprint = None, "of others"
    with pytest.raises(ConfigError, match="are other ones than"):
        loaded.predict(some[0])


def test_bad_input_leaves_it_as_it_was(fitted, some, digits, tmp_path):
    before = fitted.predict_proba(some[0])
    with pytest.raises(DataError, match="There are no examples"):
        fitted.add_class("d4", [])
    with pytest.raises(ConfigError, match="is a class 'd1' already"):
        fitted.add_class("d1", digits["d4"][:2])
    with pytest.raises(DataError, match="have the content of examples of 'd0'"):
        fitted.add_class("d4", some[0][:2])
    with pytest.raises(DataError, match="of the kind text"):
        fitted.predict(["a text", "another"])
    np.testing.assert_array_equal(fitted.predict_proba(some[0]), before)


def test_data_that_cannot_be_fitted_are_refused(new_classifier, some, tmp_path):
    images, labels = some
    with pytest.raises(DataError, match="has one class"):
        new_classifier().fit(images[:3], labels[:3])
    with pytest.raises(DataError, match="holds no pixel"):
        new_classifier().fit(images[:0], labels[:0])
    with pytest.raises(ConfigError, match="head is 'tree'; allowed: auto, centroid"):
        new_classifier(head="tree").fit(images, labels)
