"""A row of outputs becomes a prediction with the names of its classes."""

import numpy as np

from pipelines.serving.prediction import from_outputs


def row(**changes):
    return {
        "probabilities": np.array([0.2, 0.5, 0.3], np.float32),
        "label": b"dog",
        "confidence": np.float32(0.5),
        "accepted": np.bool_(True),
        "ood_score": np.float32(0.25),
        "prediction_set": np.array([False, True, True]),
        "valid": np.bool_(True),
        **changes,
    }


def test_prediction_has_names_and_plain_values():
    prediction = from_outputs(row(), ["cat", "dog", "ant"])
    assert prediction.label == "dog"
    assert list(prediction.probabilities) == ["cat", "dog", "ant"]
    assert prediction.probabilities["dog"] == 0.5
    assert prediction.prediction_set == ("dog", "ant")  # the likeliest first
    assert (prediction.accepted, prediction.valid) == (True, True)
    assert type(prediction.confidence) is type(prediction.ood_score) is float


def test_invalid_example_keeps_its_reason():
    nothing = row(
        probabilities=np.zeros(3),
        label="",
        prediction_set=np.zeros(3, bool),
        valid=False,
    )
    prediction = from_outputs(nothing, ["cat", "dog", "ant"], reason="it is blank")
    assert (prediction.label, prediction.prediction_set) == ("", ())
    assert prediction.reason == "it is blank"
