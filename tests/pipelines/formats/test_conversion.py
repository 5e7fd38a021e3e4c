"""A converted file answers as the SavedModel that it was made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter


@pytest.mark.parametrize(
    ("variant", "tolerance"), [("float32", 1e-4), ("float16", 0.05)]
)
def test_litert_answers_as_the_saved_model(
    exported: Path, digits, expected, variant: str, tolerance: float
):
    file = exported / "assets.extra" / "litert" / f"{variant}.tflite"
    run = Interpreter(str(file)).get_signature_runner("serving_default")
    answers = [run(pixels=image[None])["probabilities"][0] for image in digits]
    np.testing.assert_allclose(answers, expected, atol=tolerance)


@pytest.mark.parametrize("count", [1, 3, 16])
def test_onnx_answers_as_the_saved_model(exported: Path, digits, expected, count: int):
    file = exported / "assets.extra" / "onnx" / "model.onnx"
    model = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (answers,) = model.run(["probabilities"], {"pixels": digits[:count]})
    np.testing.assert_allclose(answers, expected[:count], atol=1e-4)
    assert model.get_inputs()[0].shape == ["batch", 32, 32, 3]
