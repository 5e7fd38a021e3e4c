import io

import numpy as np
import pytest
from PIL import Image

import pipelines
from pipelines.errors import DataError
from pipelines.methods.few_shot.publish import publish, transfer_model


def encoded(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return stream.getvalue()


def test_artifact_answers_as_the_classifier(fitted, some, tmp_path):
    artifact = fitted.export(tmp_path / "shots")
    assert (artifact.version, artifact.manifest.class_names) == (
        1,
        ("d0", "d1", "d2", "d3"),
    )
    assert artifact.manifest.data["counts"] == {
        "train": dict.fromkeys(artifact.manifest.class_names, 4)
    }
    answers = pipelines.load(tmp_path / "shots").predict(map(encoded, some[0]))
    expected = fitted.predict_proba(some[0])
    names = fitted.classes_.tolist()
    probabilities = [[a.probabilities[name] for name in names] for a in answers]
    np.testing.assert_allclose(probabilities, expected, atol=2e-3)
    assert all(answer.accepted for answer in answers)


def test_model_in_memory_has_the_head(fitted, some):
    source = fitted._source
    model = transfer_model(source, fitted._normalize, fitted._chosen)
    # Features are kept in float16, and the model has them in float32.
    inputs = np.stack(
        [np.asarray(Image.fromarray(image).resize((32, 32))) for image in some[0]]
    )
    size = source.base.input_size_px
    assert model.model.output.shape == (None, 4)
    assert model.model(inputs[:, :size, :size]).shape == (len(inputs), 4)


def test_files_that_are_gone_prove_nothing(fitted, tmp_path):
    with pytest.raises(DataError, match="Pass some in `examples`"):
        publish(fitted._state(), fitted._source, None, tmp_path)
