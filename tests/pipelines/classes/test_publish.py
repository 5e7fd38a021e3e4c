import pytest

from pipelines.classes import update
from pipelines.errors import ArtifactError
from pipelines.stages import export as exporting


def test_failed_export_leaves_run_as_it_was(run_folder, digits, monkeypatch):
    def refuse(*_, **__):
        raise ArtifactError("The disk is full.")

    files = ("report.json", "predictions.jsonl", "checkpoints/features.npz")
    before = [(run_folder / name).read_bytes() for name in files]
    monkeypatch.setattr(exporting.publication, "require_space", refuse)
    with pytest.raises(ArtifactError, match="disk is full"):
        update.add_class(run_folder, name="three", data=f"dir:{digits / 'new'}")
    assert [(run_folder / name).read_bytes() for name in files] == before
    assert not (run_folder / "artifact" / "2").exists()
