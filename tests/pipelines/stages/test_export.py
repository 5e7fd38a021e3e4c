"""An export that is refused is kept, and its run goes on there without training."""

import json

import numpy as np
import pytest

import pipelines
from pipelines.errors import ArtifactError
from pipelines.serving import artifact, publication
from pipelines.stages import export, finetune


def _half_of_a_kernel_is_zeros(served):
    def wrong(*arguments, **options):
        network = served(*arguments, **options)
        kernel = next(one for one in network.variables if len(one.shape) == 4)
        values = np.array(kernel)
        values[..., : values.shape[-1] // 2] = 0
        kernel.assign(values)
        return network

    return wrong


def test_refused_export_is_kept_and_proved_without_training(
    tmp_path, monkeypatch, caplog
):
    fields = {
        "backbone": "tiny_image",
        "weights": "none",
        "strategy": "head_only",
        "input_size_px": 16,
        "workdir": tmp_path / "run",
    }
    base = tmp_path / "run" / "artifact"
    with monkeypatch.context() as planted:
        wrong = _half_of_a_kernel_is_zeros(export._served)
        planted.setattr(export, "_served", wrong)
        with pytest.raises(ArtifactError, match=r"refused-1.*without training") as told:
            pipelines.fine_tune("builtin:digits?limit=100", **fields)
    assert str(base / "refused-1") in str(told.value)
    assert artifact.versions(base) == []
    assert [one.name for one in base.iterdir()] == ["refused-1"]
    report = json.loads((base / "refused-1" / publication.REFUSAL).read_text())
    worst = report["outputs"][0]
    assert not worst["agrees"]
    assert worst["largest_difference"] == "not comparable" or (
        worst["largest_difference"] > worst["bound"] >= worst["noise"]
    )
    assert worst["example"]
    assert {one["output"].split("/")[2] for one in report["outputs"]} >= {
        "probabilities",
        "features",
        "ood_score",
        "label",
    }
    assert (base / "refused-1" / "saved_model.pb").is_file()
    with pytest.raises(ArtifactError, match="it has no zoo_artifact.json"):
        artifact.open_verified(base / "refused-1")

    def never(*_, **__):
        raise AssertionError("It trained again.")

    monkeypatch.setattr(finetune, "run_phase", never)
    with caplog.at_level("INFO", logger="zootune"):
        run = pipelines.fine_tune("builtin:digits?limit=100", **fields)
    assert run.artifact_dir == base / "1"
    assert "resuming from a checkpoint" in caplog.text
    assert f"{base / 'refused-1'} is an earlier export" in caplog.text
    assert (base / "refused-1").is_dir()
    parity = run.report["parity"]
    assert parity["largest_difference"] <= parity["tolerance"]
    assert parity["probes"] == 14
