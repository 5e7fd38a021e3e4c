"""Number formats are compared where that can pay, and nothing is left of it."""

import dataclasses
import json
import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.config import FinetuneConfig, RunConfig, checked
from pipelines.data.reference import DatasetRef
from pipelines.planning import compute
from pipelines.planning.compute import Compute
from pipelines.run import run as run_of
from pipelines.runs import folder as run_folder
from pipelines.runs import resume
from pipelines.runs.prepare import prepare
from pipelines.runtime import devices
from pipelines.runtime import precision as formats
from pipelines.runtime.clock import Clock
from pipelines.stages import precision

# Steps enough for a comparison, on images so small that they take a second or two.
LONG = FinetuneConfig(epochs=100)
MIXED = Compute("mixed_bfloat16", reason="it was three times as fast")


def config_for(**fields) -> RunConfig:
    return checked(
        RunConfig(
            **{
                "data": "builtin:digits?limit=60",
                "backbone": "tiny_image",
                "weights": "none",
                "strategy": "full",
                "input_size_px": 16,
                "batch_size": 16,
                **fields,
            }
        ),
        writes=False,
    )


def prepared_for(*, before=None, **fields):
    config = config_for(**fields)
    return prepare(config, DatasetRef.parse(config.data), Clock(), before=before)


@pytest.fixture
def always_pays(monkeypatch):
    """As with long training, on a machine that has units for bfloat16."""
    monkeypatch.setattr(compute, "REPAID_BY", 0.0)
    monkeypatch.setattr(precision, "shorter_format", lambda: "mixed_bfloat16")


@pytest.fixture(scope="module")
def plain():
    return prepared_for(precision="float32")


def weights_of(prepared):
    return [np.array(one) for one in prepared.base.model.get_weights()]


def test_both_formats_are_timed_without_a_trace(
    always_pays, monkeypatch, plain, caplog
):
    monkeypatch.setattr(precision, "may_use_xla", lambda: True)
    caplog.set_level(logging.INFO, logger="zootune")
    found = prepared_for()
    names = [(one.precision, one.xla) for one in found.compute.trials]
    assert names[:2] == [("float32", False), ("mixed_bfloat16", False)]
    assert [xla for _, xla in names] == [False, False, True]
    assert all(one.seconds > 0 for one in found.compute.trials)
    assert 0 < found.compute.trials[1].logit_difference < 0.1
    assert f"precision: {found.compute.precision}: a step in float32" in caplog.text
    for ours, wanted in zip(weights_of(found), weights_of(plain), strict=True):
        np.testing.assert_array_equal(ours, wanted)
    chosen = {"precision": found.compute.precision, "xla": found.compute.xla}
    assert found.plan == dataclasses.replace(plain.plan, **chosen)
    assert not found.base.model.trainable_variables


def test_what_overflows_is_not_taken_however_fast(always_pays, monkeypatch):
    monkeypatch.setattr(precision, "shorter_format", lambda: "mixed_float16")
    monkeypatch.setattr(compute, "CLEAR_GAIN", 0.0)
    config = config_for(strategy="scratch")
    prepared = prepared_for(strategy="scratch")
    for weight in prepared.base.model.weights:
        if weight.path.endswith("kernel"):
            weight.assign(weight * 1000.0)  # features beyond 65,504
    found = precision.choose_precision(
        config,
        prepared.base,
        prepared.splits,
        prepared.measured,
        prepared.plan,
        Clock(),
    )
    assert [one.precision for one in found.compute.trials] == [
        "float32",
        "mixed_float16",
    ]
    assert found.compute.precision == "float32"
    assert "but logits differ by nan" in found.compute.reason


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "training steps are too few to compare formats"),
        (
            {"finetune": FinetuneConfig(epochs=8), "strategy": "scratch"},
            "24 training steps are too few to compare formats",
        ),
        ({"finetune": LONG, "strategy": "scratch"}, "too little to compare formats"),
        ({"strategy": "head_only"}, "no phase trains blocks"),
        ({"precision": "float32"}, "as the config says"),
    ],
)
def test_nothing_is_timed_where_it_cannot_pay(monkeypatch, fields, why):
    monkeypatch.setattr(precision, "shorter_format", lambda: "mixed_bfloat16")
    found = prepared_for(**fields).compute
    assert (found.precision, found.trials) == ("float32", ())
    assert why in found.reason


def test_nothing_is_timed_without_units_for_it(always_pays, monkeypatch):
    monkeypatch.setattr(precision, "shorter_format", lambda: None)
    assert "no units for a shorter number format" in prepared_for().compute.reason


def test_strict_determinism_is_not_left_to_a_clock(always_pays):
    found = prepared_for(deterministic="strict").compute
    assert found.trials == ()
    assert "leaves nothing to a clock" in found.reason


def test_processor_units_decide_on_bfloat16(monkeypatch):
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("a GPU decides")
    monkeypatch.setattr(devices, "processor_features", lambda: ("avx512f", "amx_bf16"))
    assert formats.shorter_format() == "mixed_bfloat16"
    monkeypatch.setattr(devices, "processor_features", lambda: ("avx512f",))
    assert formats.shorter_format() is None
    assert not formats.may_use_xla()


def test_earlier_choice_is_built_with_the_same_weights(plain):
    found = prepared_for(before=MIXED)
    assert found.compute == MIXED
    assert found.base.model.layers[-1].compute_dtype == "bfloat16"
    assert not found.base.model.trainable_variables
    for ours, wanted in zip(weights_of(found), weights_of(plain), strict=True):
        np.testing.assert_array_equal(ours, wanted)
    # Features of float32 are not those of the network that trains.
    assert found.measured.head_features(found.plan.head) is None
    assert keras.config.dtype_policy().name == "float32"


def test_resumed_run_keeps_its_precision(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="zootune")
    config = config_for(workdir=str(tmp_path / "run"))
    folder = run_folder.RunFolder(tmp_path / "run")
    folder.begin(config, {"python": "3"})
    folder.write(resume.COMPUTE, compute.to_dict(MIXED))
    run = run_of(config)
    assert "precision: mixed_bfloat16, as before" in caplog.text
    report = json.loads((folder.path / "report.json").read_text())
    assert report["compute"] == json.loads(json.dumps(compute.to_dict(MIXED)))
    assert {one.compute_dtype for one in run.model.layers} == {"bfloat16", "float32"}
    served = tf.saved_model.load(str(run.artifact_dir))
    found = served.signatures["pixels"](pixels=tf.zeros((1, 16, 16, 3), tf.uint8))
    assert found["probabilities"].dtype == tf.float32


def test_overwriting_chooses_anew(tmp_path):
    config = config_for(workdir=str(tmp_path))
    folder = run_folder.RunFolder(tmp_path)
    folder.write(resume.COMPUTE, compute.to_dict(MIXED))
    assert resume.compute_before(config, folder) == MIXED
    config.overwrite = True
    assert resume.compute_before(config, folder) is None
    (tmp_path / resume.COMPUTE).write_text('{"precision"')
    config.overwrite = False
    assert resume.compute_before(config, folder) is None
