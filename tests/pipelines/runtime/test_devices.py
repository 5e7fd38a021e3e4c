"""Formats that a device has units for."""

import pytest

from pipelines.runtime import devices


@pytest.mark.parametrize(
    ("capability", "formats"),
    [
        ((6, 1), ()),
        ((7, 5), ("mixed_float16",)),
        ((8, 0), ("mixed_float16", "mixed_bfloat16")),
        ((9, 0), ("mixed_float16", "mixed_bfloat16")),
    ],
)
def test_mixed_precisions_of_a_gpu(capability, formats):
    assert devices.mixed_precisions(capability) == formats


@pytest.mark.parametrize(
    ("features", "formats"),
    [
        ((), ()),
        (("avx512f",), ()),
        (("avx512f", "avx512_bf16"), ("mixed_bfloat16",)),
        (("amx_bf16",), ("mixed_bfloat16",)),
    ],
)
def test_mixed_precisions_of_a_processor(monkeypatch, features, formats):
    monkeypatch.setattr(devices, "processor_features", lambda: features)
    assert devices.mixed_precisions() == formats


def test_processor_features_are_matrix_units():
    assert set(devices.processor_features()) <= {"avx512f", "avx512_bf16", "amx_bf16"}
