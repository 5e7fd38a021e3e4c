"""A SavedModel goes through the whole pipeline as a native network does."""

import json
import os
import shutil

import keras
import numpy as np
import pytest

import pipelines
import zoo
from benchmarks.trained import train
from pipelines.config import FinetuneConfig, HeadConfig, RunConfig
from pipelines.errors import ConfigError
from tests.support.tiny_modules import (
    save_backbone,
    save_hub,
    save_signature,
    save_text,
)
from zoo.errors import BackboneError

TINY = {"data": "builtin:digits?limit=200", "backbone": "tfhub", "input_size_px": 16}
SIZE = 48
# One rate for all blocks of the native network, as a module has only one block.
SAME_RATE = FinetuneConfig(
    epochs=2,
    backbone_multiplier=0.25,
    block_decay=1.0,
    patience_epochs=9,
    guard=False,
)
# `CONTRACT=all` takes three seeds, as `make test-all` does.
SEEDS = (0, 1, 2) if os.environ.get("CONTRACT") == "all" else (0,)


@pytest.mark.parametrize(
    ("batchnorm", "precision", "tolerance"),
    [("frozen", "float32", 1e-5), ("trained", "mixed_bfloat16", 0.01)],
)
def test_module_fine_tuned_and_published_serves_without_folder(
    tmp_path, batchnorm, precision, tolerance
):
    folder = save_hub(tmp_path / "module")
    run = pipelines.fine_tune(
        **TINY,
        handle=str(folder),
        workdir=tmp_path / "run",
        strategy="full",
        precision=precision,
        finetune=FinetuneConfig(epochs=2, batchnorm=batchnorm, guard=False),
    )
    layer = run.model.get_layer("module")
    assert layer.compute_dtype == precision.removeprefix("mixed_")
    assert {weight.dtype for weight in layer.trainable_weights} == {"float32"}
    head, tuned = (run.report["receipt"][name] for name in ("head", "fine_tune"))
    assert [row["block"] for row in tuned] == ["module", "head"]
    assert (head[0]["largest_change"], head[0]["statistics_change"]) == (0.0, 0.0)
    assert tuned[0]["largest_change"] > 0
    assert (tuned[0]["statistics_change"] > 0) == (batchnorm == "trained")
    if precision == "float32":
        assert run.report["parity"]["largest_difference"] <= 1e-4
        _assert_published_as_a_module(run)
    manifest = json.loads((run.artifact_dir / "zoo_artifact.json").read_text())
    assert manifest["model"]["handle"] == str(folder)
    shutil.rmtree(folder)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3)).astype("uint8")
    logits = run.model.predict(pixels, verbose=0)
    wanted = np.exp(run.calibration.scaling.log_probabilities(logits))
    served = pipelines.load(run.artifact_dir).probabilities(pixels)
    assert served.dtype == np.float32
    np.testing.assert_allclose(served, wanted, atol=tolerance)


def _assert_published_as_a_module(run):
    spec = pipelines.publish(run.workdir, name="from_module")
    assert spec.block_names == ("module",)
    assert spec.carries_weights
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3))
    trained = keras.Model(run.model.input, run.model.get_layer("pooled").output)
    np.testing.assert_allclose(
        np.asarray(zoo.build("from_module").model(pixels)).reshape(2, -1),
        trained(pixels),
        rtol=1e-4,
        atol=1e-5,
    )


def test_text_module_fine_tuned_is_served_without_folder(tmp_path):
    words = {"good": ["good", "the film was"], "bad": ["bad", "the book was"]}
    labels = ["good", "bad"] * 40
    texts = [
        f"{words[label][1]} {words[label][0]} {i}" for i, label in enumerate(labels)
    ]
    np.savez(tmp_path / "texts.npz", x=np.array(texts), y=np.array(labels))
    folder = save_text(tmp_path / "module")
    run = pipelines.fine_tune(
        f"npz:{tmp_path}/texts.npz",
        backbone="tfhub",
        handle=str(folder),
        workdir=tmp_path / "run",
        strategy="full",
        finetune=FinetuneConfig(epochs=2, guard=False),
    )
    assert run.report["test"]["accuracy"] == 1.0
    head, tuned = (run.report["receipt"][name] for name in ("head", "fine_tune"))
    assert head[0]["largest_change"] == 0.0
    assert tuned[0]["largest_change"] > 0
    assert run.report["parity"]["largest_difference"] <= 1e-4
    shutil.rmtree(folder)
    predictions = pipelines.load(run.artifact_dir).predict(["a good film", "bad book"])
    assert [one.label for one in predictions] == ["good", "bad"]


def test_module_with_only_signature_gives_frozen_features(tmp_path):
    fields = {**TINY, "handle": str(save_signature(tmp_path / "module"))}
    run = pipelines.fine_tune(**fields, workdir=tmp_path / "run")
    assert list(run.report["receipt"]) == ["head"]
    assert "nothing in the backbone can train" in run.plan.reason
    with pytest.raises(ConfigError, match="strategy is 'full', but nothing in the"):
        pipelines.fine_tune(**fields, workdir=tmp_path / "other", strategy="full")


def test_a_module_cannot_be_trained_from_scratch(tmp_path):
    handle = str(save_hub(tmp_path / "module"))
    with pytest.raises(BackboneError, match="cannot start from random weights"):
        pipelines.fine_tune(
            **TINY, handle=handle, workdir=tmp_path / "run", strategy="scratch"
        )
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def lite0(tmp_path_factory):
    """EfficientNet-Lite0 with its real weights, as a module like those of TF Hub."""
    backbone = zoo.build("efficientnet_lite0", input_size_px=SIZE)
    return save_backbone(tmp_path_factory.mktemp("lite0") / "module", backbone)


@pytest.mark.weights
def test_module_gives_features_of_native_network(lite0):
    native = zoo.build("efficientnet_lite0", input_size_px=SIZE)
    module = zoo.build("tfhub", handle=lite0)
    assert module.input_size_px == SIZE
    assert module.spec.feature_width == native.spec.feature_width
    # The module counts the states of its nine random generators too.
    assert module.spec.parameters == native.spec.parameters + 9 * 2
    pixels = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3))
    found, wanted = (
        backbone.model.predict(pixels.astype("uint8"), verbose=0)
        for backbone in (module, native)
    )
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert np.ptp(wanted) > 1


@pytest.mark.slow
@pytest.mark.weights
def test_it_learns_as_well_as_the_native_network(lite0, tmp_path):
    """Within what seeds differ by among themselves.

    Trained as by a run, which would export each as well.
    """

    def accuracy(backbone, handle, seed):
        config = RunConfig(
            data="builtin:mnist_5k?limit=500&validation=0.1&test=0.4",
            backbone=backbone,
            handle=handle,
            workdir=str(tmp_path / f"{backbone}{seed}"),
            seed=seed,
            input_size_px=SIZE,
            strategy="full",
            # A module has no blocks inside for a head to read.
            head=HeadConfig(reads="last", grid=1),
            finetune=SAME_RATE,
        )
        trained = train(config)
        for phase in trained.history.phases:
            assert {row.statistics_change for row in phase.receipt} == {0.0}
        test = trained.calibrated.test
        return float((test.logits.argmax(axis=1) == test.labels).mean())

    native = np.array([accuracy("efficientnet_lite0", "", seed) for seed in SEEDS])
    module = np.array([accuracy("tfhub", str(lite0), seed) for seed in SEEDS])
    print(f"test accuracy, native {native}, module {module}")
    assert native.mean() > 0.7
    # 200 test images: the standard error of one accuracy of .85 is .025.
    assert abs(native.mean() - module.mean()) < 0.087 / len(SEEDS) ** 0.5
