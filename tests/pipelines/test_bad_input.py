"""Bad input gets a clear sentence and loses nothing.

Good twins of the bad inputs share one run, `finished_on_photos`.
"""

import dataclasses
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import pipelines
import zoo
from pipelines.cli import main as zoo_command
from pipelines.main import main
from pipelines.serving.artifact import open_verified, versions
from zoo.weights import files as weight_files

PHOTOS_PER_CLASS = 10


def make_photos(folder: Path) -> Path:
    """A folder of photos that a run takes: two classes, one bright and one dark."""
    random = np.random.default_rng(0)
    for name, low in (("bright", 128), ("dark", 0)):
        (folder / name).mkdir(parents=True)
        for index in range(PHOTOS_PER_CLASS):
            pixels = random.integers(low, low + 128, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


@pytest.fixture
def photos(tmp_path) -> Path:
    return make_photos(tmp_path / "photos")


@pytest.fixture(scope="module")
def finished_on_photos(tmp_path_factory):
    """A run on photos just below their limit, at the smallest size, from a file."""
    folder = tmp_path_factory.mktemp("on_photos")
    weights = folder / "mine.weights.h5"
    zoo.build("tiny_image", weights=None).model.save_weights(weights)
    return pipelines.fine_tune(
        f"dir:{make_photos(folder / 'photos')}?maximum_megapixels=0.0003",
        backbone="tiny_image",
        weights=str(weights),
        strategy="head_only",
        input_size_px=8,
        workdir=folder / "run",
    )


class Job:
    """The main job on tiny parts, and what it said and left."""

    def __init__(self, flags: list[str], workdir: Path, capsys) -> None:
        self.flags = flags
        self.workdir = workdir
        self._capsys = capsys

    def run(self, *flags: str) -> tuple[int, str]:
        """The exit code and what was said on stderr."""
        code = main([*self.flags, *flags])
        return code, self._capsys.readouterr().err

    def refuses(self, *flags: str, code: int, message: str) -> str:
        """Fails unless it refuses: sentence first, no traceback, nothing written."""
        found, said = self.run(*flags)
        assert found == code, said
        assert said.startswith("zoo: ")
        assert re.search(message, said), said
        assert "Traceback" not in said
        assert not self.workdir.exists()
        return said

    def finishes(self, *flags: str) -> None:
        code, said = self.run(*flags)
        assert code == 0, said
        assert (self.workdir / "report.json").is_file()
        open_verified(self.workdir / "artifact")


@pytest.fixture
def job(tiny_flags, tmp_path, capsys) -> Job:
    return Job(tiny_flags, tmp_path / "run", capsys)


@pytest.fixture
def register() -> Iterator:
    """Adds rows to the registry until the test ends."""
    names = []

    def add(spec: zoo.BackboneSpec) -> str:
        zoo.register(spec)
        names.append(spec.name)
        return spec.name

    yield add
    for name in names:
        zoo.unregister(name)


def snapshot(folder: Path) -> dict[str, bytes]:
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert files
    return files


# ---- backbone and config ----


def test_unknown_backbone(job, capsys):
    job.refuses(
        "--config.backbone=tiny_imge",
        code=4,
        message=r"No backbone is called 'tiny_imge'\. Did you mean tiny_image ",
    )
    assert zoo_command(["info", "tiny_imge"]) == 4
    assert "Did you mean tiny_image " in capsys.readouterr().err
    assert zoo_command(["info", "tiny_image"]) == 0


def test_unknown_config_field(job):
    job.refuses(
        "--config.bathc_size=8",
        code=2,
        message=r"no config\.bathc_size\. Did you mean config\.batch_size\?",
    )


def test_images_that_are_too_large(job, photos, finished_on_photos):
    """Checked, trained and served with the limit of the data reference."""
    job.refuses(
        f"--config.data=dir:{photos}?maximum_megapixels=0.0002",
        code=3,
        message=r"0\.png: an image of more than 0\.0002 mill",
    )
    small, large = (
        tf.io.encode_png(np.zeros((side, side, 3), np.uint8)).numpy()
        for side in (16, 18)
    )
    base = finished_on_photos.workdir / "artifact"
    predictions = pipelines.load(base).predict([small, large])
    assert [prediction.valid for prediction in predictions] == [True, False]
    manifest = open_verified(base).manifest
    assert manifest.preprocessing["maximum_megapixels"] == 0.0003


def test_wrong_input_size(job, finished_on_photos):
    size = "--config.input_size_px"
    job.refuses(
        f"{size}=7",
        code=4,
        message="tiny_image cannot take images of 7 px: its smallest input is 8 px",
    )
    job.refuses(f"{size}=-1", code=2, message="input_size_px is -1; allowed: 0 to 4096")
    assert finished_on_photos.report["backbone"]["input_size_px"] == 8


# ---- data ----


def test_missing_folder(job, photos):
    job.refuses(
        f"--config.data=dir:{photos}x",
        code=3,
        message=f"There is no folder {photos}x",
    )


def test_class_with_no_image(job, photos):
    (photos / "grey").mkdir()
    job.refuses(
        f"--config.data=dir:{photos}", code=3, message="Class 'grey' has no image"
    )


def test_class_with_one_image(job, photos):
    (photos / "grey").mkdir()
    shutil.copy(photos / "dark" / "0.png", photos / "grey" / "only.png")
    said = job.refuses(f"--config.data=dir:{photos}", code=3, message="grey")
    assert re.search(r"\b(1|one)\b", said)


@pytest.mark.parametrize(
    "content",
    [b"", b"this is text", b"\x89PNG\r\n\x1a\n" + bytes(20), "half"],
    ids=["empty", "text", "header", "half"],
)
def test_corrupt_image(job, photos, content):
    bad = photos / "dark" / "3.png"
    whole = bad.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    said = job.refuses(f"--config.data=dir:{photos}", code=3, message=str(bad))
    assert "1 of 20 image files" in said
    assert str(photos / "dark" / "4.png") not in said


def unreadable_links() -> list[str]:
    # Reading a process's memory from address 0 is an I/O error even for root.
    links = ["nowhere.png"]
    return [*links, "/proc/self/mem"] if Path("/proc/self/mem").exists() else links


@pytest.mark.parametrize("target", unreadable_links())
def test_unreadable_file(job, photos, target):
    bad = photos / "dark" / "3.png"
    bad.unlink()
    bad.symlink_to(target)
    job.refuses(f"--config.data=dir:{photos}", code=3, message=f"{bad}: cannot be read")


ODD_NAMES = (
    "two\nlines.png",
    'it\'s "quoted".png',
    "\u00fcml\u00e4ut \u732b.png",
    "-rf *?[x].png",
    os.fsdecode(b"not \xff\xfe UTF-8.png"),
)


def test_bad_file_with_odd_name_is_named(job, photos, capsys):
    for name in ODD_NAMES:
        (photos / "dark" / name).write_bytes(b"no image")
    said = job.refuses(f"--config.data=dir:{photos}", code=3, message="5 of 25 image")
    # The counts, a line for each, and what to do.
    assert len(said.splitlines()) == 7
    assert r"two\nlines.png: not an image" in said
    assert r"not \udcff\udcfe UTF-8.png: not an image" in said
    assert zoo_command(["check", f"dir:{photos}"]) == 3
    assert "5" in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
def test_file_without_permission(job, photos):
    bad = photos / "dark" / "3.png"
    bad.chmod(0)
    job.refuses(f"--config.data=dir:{photos}", code=3, message=f"{bad}: cannot be read")


def test_unreadable_files_of_predict(finished_run, photos, capsys):
    base = str(finished_run / "artifact")
    assert zoo_command(["predict", base, str(photos / "none.png")]) == 3
    assert f"{photos / 'none.png'} cannot be read: No such" in capsys.readouterr().err
    assert zoo_command(["predict", base, str(photos)]) == 2
    assert f"{photos} has many examples: say with --to" in capsys.readouterr().err
    assert zoo_command(["predict", base, str(photos / "dark" / "0.png")]) == 0


# ---- workdir ----


def test_workdir_of_another_run(job, finished_run):
    shutil.copytree(finished_run, job.workdir)
    before = snapshot(job.workdir)
    for flags in ((), ("--config.seed=1",)):
        code, said = job.run(*flags)
        assert code == 2
        assert said.startswith(f"zoo: {job.workdir} holds a finished run.")
        assert "config.overwrite" in said
        assert snapshot(job.workdir) == before
    job.finishes("--config.seed=1", "--config.overwrite")
    assert versions(job.workdir / "artifact") == [1, 2]
    after = snapshot(job.workdir)
    first = [name for name in before if name.startswith("artifact/1/")]
    assert first
    assert all(after[name] == before[name] for name in first)
    assert json.loads(after["config.json"])["seed"] == 1
    weights = {
        json.loads(files["report.json"])["backbone"]["sha256"]
        for files in (before, after)
    }
    assert len(weights) == 2, "another seed gives other weights"


def test_refused_run_does_not_touch_the_existing_one(job, finished_run):
    """With `overwrite` too: what is refused before training has replaced nothing."""
    shutil.copytree(finished_run, job.workdir)
    before = snapshot(job.workdir)
    for flag, wanted in (
        ("--config.data=dir:/no/such/folder", 3),
        ("--config.backbone=tiny_imge", 4),
        ("--config.strategy=none", 2),
    ):
        assert job.run("--config.overwrite", flag)[0] == wanted
        assert snapshot(job.workdir) == before


def test_workdir_of_somebody_else(job):
    job.workdir.mkdir()
    (job.workdir / "thesis.txt").write_text("three years of work")
    code, said = job.run("--config.overwrite")
    assert code == 2
    assert "is not the folder of a run" in said
    assert snapshot(job.workdir) == {"thesis.txt": b"three years of work"}


# ---- weights ----


def test_missing_weights_of_a_package(job, register):
    spec = zoo.get_spec("efficientnet_lite0")
    assert spec.weights is not None
    absent = dataclasses.replace(spec.weights, package="zootune-no-such-weights==1.0")
    name = register(dataclasses.replace(spec, name="lite0_absent", weights=absent))
    default = ("--config.weights=default", f"--config.backbone={name}")
    job.refuses(
        *default,
        code=4,
        message=r"weights of lite0_absent are not on this machine\. Get them with: "
        r"zoo fetch lite0_absent",
    )


def test_missing_weights_of_keras(job, monkeypatch, tmp_path):
    """No internet: the conftest lets nothing out, whatever proxy is set."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for variable in list(os.environ):
        if variable.lower().endswith("_proxy"):
            monkeypatch.delenv(variable)
    job.refuses(
        "--config.weights=default",
        "--config.backbone=resnet50",
        "--config.input_size_px=32",
        code=4,
        message=r"weights of resnet50 are not on this machine and could not be "
        r"downloaded\. https://.*resnet50.* cannot be reached.*zoo fetch resnet50",
    )


def test_weights_that_no_hash_is_known_of(job, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("ZOOTUNE_ALLOW_UNPINNED", raising=False)
    job.refuses(
        "--config.weights=default",
        "--config.backbone=mobilenet",
        "--config.input_size_px=32",
        code=4,
        message=r"No hash of https://.*mobilenet.* is known.*"
        r"zoo fetch mobilenet --allow-unpinned",
    )


def test_missing_weights_file(job, tmp_path, finished_on_photos):
    path = tmp_path / "mine.weights.h5"
    flag = f"--config.weights={path}"
    job.refuses(flag, code=4, message=f"There is no weight file {path}")
    path.write_bytes(b"not weights")
    job.refuses(flag, code=4, message=f"{path} does not hold weights of tiny_image")
    assert Path(finished_on_photos.report["backbone"]["weights"]).is_file()


@pytest.mark.weights
def test_weights_with_a_wrong_sha256(job, register):
    spec = zoo.get_spec("efficientnet_lite0")
    assert spec.weights is not None
    other = dataclasses.replace(spec.weights, sha256="0" * 64)
    name = register(dataclasses.replace(spec, name="lite0_changed", weights=other))
    path = weight_files.find(spec.weights)
    assert path is not None
    before = path.stat()
    job.refuses(
        f"--config.backbone={name}",
        "--config.weights=default",
        "--config.input_size_px=32",
        code=4,
        message=rf"{path} is not the published {other.file_name}: its sha256 is "
        rf"{spec.weights.sha256}, expected 0000.*was not read\. Delete it and fetch it "
        r"again: zoo fetch lite0_changed",
    )
    assert path.stat() == before
    same = register(dataclasses.replace(spec, name="lite0_same"))
    assert zoo.build(same, input_size_px=32).weights == "default"


# ---- disk ----


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A disk of 64 MB that the test can fill."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def remount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


@pytest.fixture
def job_on_disk(tiny_flags, disk, capsys) -> Job:
    workdir = disk / "run"
    return Job([*tiny_flags, f"--config.workdir={workdir}"], workdir, capsys)


def assert_only_version_1(job: Job) -> None:
    base = job.workdir / "artifact"
    assert [path.name for path in base.iterdir()] == ["1"]
    open_verified(base / "1")


@pytest.mark.faults
@pytest.mark.slow
def test_no_disk_space_for_export(job_on_disk, disk, finished_run):
    job = job_on_disk
    shutil.copytree(finished_run, job.workdir)
    (disk / "filler").write_bytes(bytes(40 * 2**20))
    code, said = job.run("--config.overwrite")
    assert code == 4, said
    assert re.match(
        rf"zoo: There is no space to export to {job.workdir}: \d+ MB are needed and \d+"
        r" MB are free",
        said,
    )
    # Noticed before training, so the run that was finished still is.
    assert_only_version_1(job)
    assert (job.workdir / "report.json").is_file()


@pytest.mark.faults
@pytest.mark.slow
def test_disk_full_during_export_fails_and_rerun_succeeds(
    job_on_disk, disk, finished_run
):
    """No file can be made after the first few of the export, though bytes are free.

    With room for files again, the same command ends well on a disk of this size.
    """
    job = job_on_disk
    shutil.copytree(finished_run, job.workdir)
    # The run replaces its own files, and these come after the export.
    names = ("report.json", "report.html", "depths.png", "predictions.jsonl")
    names += ("model_card.md", "gallery.json", "gallery/*")
    names += ("checkpoints/backbone.weights.h5", "checkpoints/features.npz")
    late = [path for name in names for path in job.workdir.glob(name)]
    assert len(late) > 10
    for path in late:
        path.unlink()
    state = os.statvfs(disk)
    used = state.f_files - state.f_ffree
    remount(disk, f"nr_inodes={used + 5}")
    code, said = job.run("--config.overwrite")
    assert code == 4, said
    assert re.match(
        rf"zoo: The export to {job.workdir}/artifact failed and was taken back: .*",
        said,
    )
    assert re.search(r"[Nn]o space left on device", said)
    assert "untouched: [1]" in said
    assert "Traceback" not in said
    assert_only_version_1(job)
    assert not (job.workdir / "report.json").exists()
    remount(disk, f"nr_inodes={used + 100}")
    job.finishes("--config.overwrite")
    assert versions(job.workdir / "artifact") == [1, 2]


@pytest.mark.faults
def test_a_disk_that_takes_no_files(job_on_disk, disk):
    remount(disk, "ro")
    job_on_disk.refuses(
        code=2,
        message=rf"{disk}/run cannot be written: {disk} is not a folder that takes",
    )
