import pytest

from pipelines.runtime import devices


@pytest.mark.parametrize(
    ("capability", "formats"),
    [
        ((6, 1), ()),
        ((7, 0), ("mixed_float16",)),
        ((7, 5), ("mixed_float16",)),
        ((8, 0), ("mixed_float16", "mixed_bfloat16")),
        ((10, 0), ("mixed_float16", "mixed_bfloat16")),
    ],
)
def test_gpu_mixed_formats_follow_the_capability(capability, formats):
    assert devices.gpu_mixed_formats(capability) == formats


@pytest.mark.parametrize(
    ("flags", "units", "formats"),
    [
        ({"avx2"}, (), ()),
        ({"avx512f", "sse"}, ("avx512f",), ()),
        ({"amx_bf16", "avx512f"}, ("avx512f", "amx_bf16"), ("mixed_bfloat16",)),
    ],
)
def test_cpu_units_and_formats_follow_the_flags(monkeypatch, flags, units, formats):
    monkeypatch.setattr(devices, "cpu_flags", lambda: frozenset(flags))
    assert devices.matrix_units() == units
    assert devices.cpu_mixed_formats() == formats


def test_cpu_flags_are_words():
    assert all(flag and " " not in flag for flag in devices.cpu_flags())
