"""Artifacts of a few bytes, which nobody can load: for what their files say."""

from pathlib import Path

from pipelines.serving import artifact
from pipelines.serving.artifact import Manifest


def bare_artifact(path: Path, content: bytes = b"graph") -> None:
    """Writes a version with a manifest that fits its files."""
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(content)
    (path / "variables" / "data").write_bytes(b"numbers")
    manifest = Manifest(
        format=artifact.FORMAT,
        model={"backbone": "tiny_image"},
        class_names=("cat", "dog"),
        signatures={},
        preprocessing={},
        versions={},
        data={},
        plan={},
        metrics={},
        temperature=1.0,
        thresholds={"confidence": 0.0},
        calibration={"method": "none"},
        parity={},
        files=artifact.hash_files(path),
    )
    artifact.write_manifest(path, manifest)
