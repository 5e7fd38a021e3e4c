"""A detector of much data moves to a few examples of another source."""

import json

import numpy as np
import pytest

import pipelines
from pipelines import cli
from pipelines.config import AnomalyConfig
from pipelines.planning.plan import from_dict
from tests.support.detectors import autoencoder_of, publish

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
TIME = np.linspace(0, 1, 60)


def waves(count, *, middle=0.0, scale=1.0):
    """Two sines of random sizes and phases: too many shapes to know from a few."""
    phase = RNG.uniform(0, 2 * np.pi, (count, 2, 1))
    size = RNG.uniform(0.5, 1.5, (count, 2, 1))
    rates = 2 * np.pi * np.array([[2], [5]]) * TIME
    values = (size * np.sin(rates + phase)).sum(axis=1)
    values += RNG.normal(0, 0.05, values.shape)
    return (middle + scale * values)[..., None].astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("moved")
    publish(autoencoder_of(waves(300), "autoencoder:dense:denoising"), path / "a" / "1")
    few, strange = (waves(n, middle=50, scale=9) for n in (14, 12))
    strange[:, 20:30] += 25
    kinds = ["normal"] * 14 + ["shift"] * 12
    np.savez(path / "few.npz", x=np.concatenate([few, strange]), y=kinds)
    return path


@pytest.fixture(scope="module")
def run(folder):
    anomaly = AnomalyConfig(transfer=str(folder / "a"), alpha=0.3)
    return pipelines.fine_tune(
        f"npz:{folder}/few.npz",
        problem="anomaly",
        workdir=folder / "run",
        anomaly=anomaly,
    )


def test_a_detector_that_gains_is_taken_over(run, folder):
    head = json.loads((run.workdir / "plan.json").read_text())["head"]
    assert head["detector"] == "autoencoder:dense:denoising"
    assert head["transfer"]
    areas = {score["method"]: score["auroc"] for score in head["detectors"]}
    assert len(areas) == 8
    taken = areas[f"transfer:{head['transfer']}"]
    assert taken > max(areas["pca"], areas["autoencoder:dense:denoising"])
    assert "is taken, by transfer:" in run.report["plan"]["reason"]
    assert run.report["parity"]["largest_difference"] <= 1e-2
    assert run.report["test"]["auroc"] > 0.9
    plan = json.loads((run.workdir / "plan.json").read_text())
    assert from_dict(plan).head.source == head["source"]


def test_what_was_taken_over_is_published_again(run, folder, capsys):
    """The new artifact is a source itself: of other data, by the same command."""
    command = ["plan", f"--data=npz:{folder}/few.npz", "--config.problem=anomaly"]
    flag = f"--config.anomaly.transfer={run.workdir}"
    assert cli.main([*command, flag, "--json"]) == 0
    head = json.loads(capsys.readouterr().out)["plan"]["head"]
    assert len(head["detectors"]) == 8


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--config.anomaly.transfer=missing"], 4, "is not an artifact"),
        (
            ["--config.anomaly.transfer=a", "--config.anomaly.method=pca"],
            2,
            "Use method='auto'",
        ),
    ],
)
def test_what_cannot_move_is_refused(folder, flags, code, message, capsys):
    command = ["plan", f"--data=npz:{folder}/few.npz", "--config.problem=anomaly"]
    assert cli.main([*command, *flags]) == code
    assert message in capsys.readouterr().err
