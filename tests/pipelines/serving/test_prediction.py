"""A row of outputs becomes a prediction with the names of its classes."""

import numpy as np

from pipelines.serving.prediction import fits, from_outputs, has_label


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


def test_scores_of_anomalies_are_read_as_such():
    row = {
        "anomaly_score": np.float32(1.5),
        "p_value": np.float32(0.25),
        "anomalous": np.bool_(True),
        "valid": np.bool_(True),
    }
    prediction = from_outputs(row, ("normal", "anomaly"))
    assert prediction.in_words() == ("anomaly", "0.2500")
    assert (prediction.anomaly_score, prediction.valid) == (1.5, True)
    assert fits(row, ("normal", "anomaly"))
    assert not fits(row, ("cat", "dog"))
    assert not has_label(row)
