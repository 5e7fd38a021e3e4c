"""`zoo export`: versions that are whole, in formats that were compared."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

import pipelines
from pipelines.cli import main
from pipelines.data.input.batches import batches
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError
from pipelines.formats import conversion
from pipelines.formats.conversion import convert
from pipelines.formats.targets import NAMES, TARGETS, parse
from pipelines.serving import artifact

FORMATS = "savedmodel,litert-float32,litert-float16,onnx"


@pytest.fixture(scope="module")
def exported(finished_run: Path, tmp_path_factory) -> Path:
    """The newest version under a base that had one already, for reading only."""
    base = tmp_path_factory.mktemp("served") / "digits"
    assert main(["export", str(finished_run), "--to", str(base)]) == 0
    command = ["export", str(finished_run), "--to", str(base), "--format", FORMATS]
    assert main(command) == 0
    assert artifact.versions(base) == [1, 2]
    return base / "2"


@pytest.fixture(scope="module")
def digits(finished_run: Path) -> np.ndarray:
    config = json.loads((finished_run / "config.json").read_text())
    test = load(DatasetRef.parse(config["data"])).test
    ((pixels, _),) = batches(test, input_size_px=32, batch_size=len(test))
    return pixels.numpy()


@pytest.fixture(scope="module")
def wanted(exported: Path, digits: np.ndarray) -> np.ndarray:
    return pipelines.load(exported).probabilities(digits)


@pytest.fixture
def copied_run(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


def refusal(capsys, run: Path, base: Path, *more: str, code: int) -> str:
    """What a refused export says, once nothing was published."""
    before = sorted(path.name for path in base.iterdir()) if base.exists() else []
    capsys.readouterr()
    assert main(["export", str(run), "--to", str(base), *more]) == code
    after = sorted(path.name for path in base.iterdir()) if base.exists() else []
    assert before == after
    return capsys.readouterr().err


def change_manifest(version: Path, **values: object) -> None:
    path = version / artifact.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_version_holds_the_bytes_of_the_run(exported: Path, finished_run: Path):
    before = finished_run / "artifact" / "1"
    alone = exported.parent / "1"
    assert artifact.hash_files(alone) == artifact.hash_files(before)
    assert artifact.read_manifest(alone) == artifact.read_manifest(before)
    beside = artifact.open_verified(exported.parent)
    assert beside.version == 2
    assert artifact.hash_files(before).items() <= beside.manifest.files.items()


def test_what_is_added_is_no_business_of_a_server(exported: Path):
    """A folder with a number and no SavedModel is one that a server fails to load."""
    added = {"litert/float32.tflite", "litert/float16.tflite", "onnx/model.onnx"}
    added |= {"litert/zoo_formats.json", "onnx/zoo_formats.json"}
    before = set(artifact.hash_files(exported.parent / "1"))
    assert set(artifact.hash_files(exported)) == before | {
        f"assets.extra/{name}" for name in added
    }
    hidden = [p.name for p in exported.parent.iterdir() if not p.name.isdigit()]
    assert hidden == []


@pytest.mark.parametrize(
    ("variant", "tolerance"), [("float32", 1e-4), ("float16", 0.05)]
)
def test_litert_answers_as_the_saved_model(
    exported: Path, digits, wanted, variant: str, tolerance: float
):
    file = exported / "assets.extra" / "litert" / f"{variant}.tflite"
    run = Interpreter(str(file)).get_signature_runner("serving_default")
    found = [run(pixels=one[None])["probabilities"][0] for one in digits]
    np.testing.assert_allclose(found, wanted, atol=tolerance)


@pytest.mark.parametrize("count", [1, 3, 16])
def test_onnx_answers_as_the_saved_model(exported: Path, digits, wanted, count: int):
    file = exported / "assets.extra" / "onnx" / "model.onnx"
    model = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (found,) = model.run(["probabilities"], {"pixels": digits[:count]})
    np.testing.assert_allclose(found, wanted[:count], atol=1e-4)
    assert model.get_inputs()[0].shape == ["batch", 32, 32, 3]


def test_the_record_says_what_the_file_is_worth(exported: Path, digits, wanted):
    folder = exported / "assets.extra" / "litert"
    said = json.loads((folder / "zoo_formats.json").read_text())
    assert set(said["files"]) == {"float32.tflite", "float16.tflite"}
    manifest = artifact.read_manifest(exported)
    accuracy = manifest.metrics["test"]["accuracy"]
    for name, record in said["files"].items():
        content = (folder / name).read_bytes()
        assert record["sha256"] == hashlib.sha256(content).hexdigest()
        assert record["bytes"] == len(content)
        assert (record["split"], record["examples"]) == ("test", len(digits))
        assert record["saved_model_accuracy"] == pytest.approx(accuracy)
        assert record["accuracy"] + record["accuracy_loss"] == pytest.approx(accuracy)
        assert record["agreement"] == 1.0
        assert 0 < record["seconds_per_example"] < 1
    assert (
        said["files"]["float32.tflite"]["bytes"]
        > 1.4 * (said["files"]["float16.tflite"]["bytes"])
    )
    assert said["class_names"] == list(manifest.class_names)
    assert said["input"]["dtype"] == "uint8"
    assert "ai-edge-litert" in said["versions"]


@pytest.fixture
def coarse(monkeypatch) -> None:
    """Every format has eight bits, chosen for black images: far too coarse."""
    eight_bits = next(one for one in TARGETS if one.name == "litert-int8")

    def convert_coarsely(target, predictor, representative):
        return convert(eight_bits, predictor, np.zeros_like(representative[:1]))

    monkeypatch.setattr(conversion, "convert", convert_coarsely)


def test_a_format_that_loses_too_much_is_not_published(
    finished_run: Path, tmp_path: Path, capsys, coarse
):
    base = tmp_path / "base"
    base.mkdir()
    said = refusal(capsys, finished_run, base, "--format=litert-int8", code=4)
    assert re.search(r"litert-int8 loses 0\.[3-9]\d* of accuracy on 20 examples", said)
    assert "and 0.01 is allowed. Nothing was published" in said
    command = ["export", str(finished_run), "--to", str(base), "--json"]
    allowed = ["--format=litert-int8", "--max-accuracy-loss=1"]
    assert main([*command, *allowed]) == 0
    (record,) = json.loads(capsys.readouterr().out)["formats"]
    assert record["accuracy_loss"] > 0.3
    assert record["max_accuracy_loss"] == 1
    assert artifact.open_verified(base).version == 1


def test_a_format_that_rounds_nothing_must_give_the_same(
    finished_run: Path, tmp_path: Path, capsys, coarse
):
    base = tmp_path / "base"
    base.mkdir()
    more = ("--format=litert-float32", "--max-accuracy-loss=1")
    said = refusal(capsys, finished_run, base, *more, code=4)
    assert "litert-float32 differs from the SavedModel" in said
    assert "it does not compute the same" in said


def test_an_unfinished_run_is_refused(copied_run: Path, tmp_path: Path, capsys):
    (copied_run / "report.json").unlink()
    said = refusal(capsys, copied_run, tmp_path / "base", code=2)
    assert "is not the folder of a finished run" in said


def test_an_artifact_that_changed_is_refused(copied_run: Path, tmp_path: Path, capsys):
    with (copied_run / "artifact" / "1" / "saved_model.pb").open("ab") as stream:
        stream.write(b"x")
    said = refusal(capsys, copied_run, tmp_path / "base", code=4)
    assert "saved_model.pb differ" in said


def test_data_that_changed_are_refused(finished_run: Path, tmp_path: Path, capsys):
    base = tmp_path / "base"
    base.mkdir()
    more = ("--format=onnx", "--data=builtin:digits?limit=100")
    said = refusal(capsys, finished_run, base, *more, code=3)
    assert "is not what the run was trained on" in said
    said = refusal(capsys, finished_run, base, "--data=builtin:digits", code=2)
    assert "the SavedModel is published as it is. Leave --data out" in said


def test_a_base_of_another_model_is_refused(
    finished_run: Path, exported: Path, tmp_path: Path, capsys
):
    base = tmp_path / "base"
    shutil.copytree(exported.parent / "1", base / "7")
    change_manifest(base / "7", class_names=["cat", "dog"])
    said = refusal(capsys, finished_run, base, code=2)
    assert "holds another model: the classes of version 7 are ['cat', 'dog']" in said
    (base / "7" / artifact.MANIFEST).unlink()
    assert "is not one of our artifacts" in refusal(capsys, finished_run, base, code=2)
    (base / "7").rename(base / "not a version")
    assert main(["export", str(finished_run), "--to", str(base)]) == 0


@pytest.mark.parametrize(
    ("module", "name"), [("ai_edge_litert", "litert"), ("onnxruntime", "onnx")]
)
def test_a_missing_extra_is_named(
    finished_run: Path, tmp_path: Path, capsys, monkeypatch, module: str, name: str
):
    monkeypatch.setitem(sys.modules, module, None)
    said = refusal(capsys, finished_run, tmp_path / "b", f"--format={name}", code=2)
    assert f"needs {module}, which is not installed" in said
    assert f"pip install 'zootune[{name}]'" in said


def test_a_saved_model_alone_needs_no_tensorflow(
    finished_run: Path, tmp_path: Path, fresh_process
):
    code = (
        "import sys; from pipelines.cli import main;"
        "code = main(['export', sys.argv[1], '--to', sys.argv[2]]);"
        "sys.exit(code or 'tensorflow' in sys.modules)"
    )
    ended = fresh_process(code, str(finished_run), str(tmp_path / "base"))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"published: {tmp_path / 'base' / '1'}\n"


def test_formats_are_a_list_of_known_names():
    assert parse("savedmodel") == ()
    assert parse("litert, ONNX") == TARGETS
    assert [one.name for one in parse("onnx,litert-int8,onnx")] == [
        "litert-int8",
        "onnx",
    ]
    assert len(NAMES) == len(TARGETS) + 2
    with pytest.raises(ConfigError, match="Unknown format 'onx'.*Did you mean 'onnx'"):
        parse("onx")
    with pytest.raises(ConfigError, match="--format is empty"):
        parse(" ,")


@pytest.mark.parametrize("tolerance", ["-0.1", "1.1", "nan"])
def test_a_tolerance_is_a_fraction(
    finished_run: Path, tmp_path: Path, capsys, tolerance: str
):
    more = f"--max-accuracy-loss={tolerance}"
    said = refusal(capsys, finished_run, tmp_path / "base", more, code=2)
    assert "from 0 to 1" in said
