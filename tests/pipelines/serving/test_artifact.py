"""Artifacts on disk: read, and refused if they are not what was published."""

import dataclasses
import json
import os

import pytest

from pipelines.errors import ArtifactError
from pipelines.serving import artifact, publication
from pipelines.serving.artifact import MANIFEST, Manifest
from tests.support.bare_artifacts import bare_artifact


@pytest.fixture
def version(tmp_path):
    bare_artifact(tmp_path / "1")
    return tmp_path / "1"


def test_a_manifest_round_trips_field_by_field(version):
    manifest = artifact.read_manifest(version)
    artifact.write_manifest(version, manifest)
    again = artifact.read_manifest(version)
    for field in dataclasses.fields(Manifest):
        assert getattr(again, field.name) == getattr(manifest, field.name), field.name
    assert again.class_names == ("cat", "dog")


def test_the_newest_version_of_a_base_is_taken(tmp_path, version):
    bare_artifact(tmp_path / "10", b"newer")
    assert artifact.open_verified(tmp_path).version == 10
    assert artifact.open_verified(version).version == 1


def test_changed_files_are_refused_by_name(version):
    artifact.open_verified(version)
    graph = version / "saved_model.pb"
    graph.write_bytes(b"grapf")
    with pytest.raises(ArtifactError, match="saved_model.pb differ"):
        artifact.open_verified(version)
    graph.unlink()
    with pytest.raises(ArtifactError, match="saved_model.pb differ"):
        artifact.open_verified(version)
    graph.write_bytes(b"graph")
    artifact.open_verified(version)
    (version / "assets").mkdir()
    (version / "assets" / "more.txt").write_text("unknown")
    with pytest.raises(ArtifactError, match="assets/more.txt differ"):
        artifact.open_verified(version)


def _link(path):
    path.symlink_to("/etc/passwd")


def _link_to_a_folder(path):
    path.symlink_to("/etc")


@pytest.mark.parametrize("make", [_link, _link_to_a_folder, os.mkfifo])
def test_links_pipes_and_devices_are_refused(tmp_path, version, make):
    bare_artifact(tmp_path / "new")
    make(tmp_path / "new" / "odd")
    with pytest.raises(ArtifactError, match="new/odd is a link, a pipe or a device"):
        publication.publish(tmp_path / "new", tmp_path / "versions")
    (tmp_path / "new" / "odd").unlink()
    artifact.open_verified(version)
    make(version / "odd")
    with pytest.raises(ArtifactError, match="odd is a link, a pipe or a device"):
        artifact.open_verified(version)


def test_other_folder_gets_a_hint(tmp_path, version):
    with pytest.raises(ArtifactError, match=f"has no {MANIFEST}"):
        artifact.open_verified(tmp_path / "nowhere")
    run = tmp_path / "run"
    bare_artifact(run / "artifact" / "1")
    with pytest.raises(ArtifactError, match="looks like a run: try"):
        artifact.open_verified(run)


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": 2}', '"text"', "{}"])
def test_a_damaged_manifest_is_named(version, damage):
    (version / MANIFEST).write_text(damage)
    with pytest.raises(ArtifactError, match="not a readable manifest"):
        artifact.open_verified(version)


def test_a_manifest_of_another_format_is_refused(version):
    values = json.loads((version / MANIFEST).read_text())
    (version / MANIFEST).write_text(json.dumps({**values, "format": 99}))
    with pytest.raises(ArtifactError, match="has format 99; this version reads 2"):
        artifact.open_verified(version)


def test_versions_grow_and_foreign_folders_are_no_versions(tmp_path):
    for name in ("3", "tmp", ".unpublished-x", "-1"):
        (tmp_path / name).mkdir()
    (tmp_path / "7").write_text("a file")
    assert artifact.versions(tmp_path) == [3]
    bare_artifact(tmp_path / "new")
    assert publication.publish(tmp_path / "new", tmp_path).name == "8"
    assert artifact.open_verified(tmp_path / "8").version == 8


@pytest.mark.parametrize("name", ["²", "٣", "9" * 30, "1e3"])
def test_lookalike_numbers_are_not_versions(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / "4").mkdir()
    assert artifact.versions(tmp_path) == [4]
    with publication.unpublished(tmp_path) as folder:
        assert publication.publish(folder, tmp_path).name == "5"


def test_digest_covers_files_and_description(tmp_path):
    for name, content in (("1", b"graph"), ("2", b"graph"), ("3", b"another")):
        bare_artifact(tmp_path / name, content)
    read = [artifact.read_manifest(tmp_path / name) for name in "123"]
    assert read[0].digest == read[1].digest != read[2].digest
    elsewhere = dataclasses.replace(read[0], versions={"numpy": "1"}, parity={"s": 2})
    assert artifact.digest_of(elsewhere) == read[0].digest
    warmer = dataclasses.replace(read[0], temperature=2.0)
    assert artifact.digest_of(warmer) != read[0].digest


def test_manifest_changed_by_hand_is_refused(version):
    path = version / MANIFEST
    path.write_text(path.read_text().replace('"dog"', '"cow"'))
    with pytest.raises(ArtifactError, match=MANIFEST):
        artifact.open_verified(version)


def test_a_manifest_from_before_digests_is_read(version):
    path = version / MANIFEST
    values = json.loads(path.read_text())
    del values["digest"]
    path.write_text(json.dumps(values))
    assert artifact.open_verified(version).manifest.digest == ""
