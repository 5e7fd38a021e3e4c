"""S1 to S9: model files of others that were made to do harm, through our commands.

No command of ours opens a `.keras` or `.h5` model. Weights are read from `.weights.h5`,
into a network that is there already; presets of KerasHub name classes of layers.
"""

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.saving import serialization_lib

import zoo
from pipelines.cli import main
from zoo.errors import BackboneError, WeightsError

MEBIBYTE = 2**20


def evil_config(tmp_path: Path) -> dict:
    """A layer with code, as old Keras files have it, that leaves a file behind."""
    path = str(tmp_path / "made-by-a-model")
    layer = keras.layers.Lambda(eval(f"lambda x: (open({path!r}, 'w').close(), x)[1]"))
    return keras.saving.serialize_keras_object(layer)


def keras_file(tmp_path: Path) -> Path:
    """S1: a `.keras` file with code in it."""
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", json.dumps({"keras_version": "3.0"}))
        file.writestr("config.json", json.dumps(evil_config(tmp_path)))
    return path


def h5_file(tmp_path: Path) -> Path:
    """S2: the same as an `.h5` file."""
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(evil_config(tmp_path))
    return path


def zip_bomb(tmp_path: Path) -> Path:
    """S7: a quarter of a gibibyte of nothing in a file of less than 1 MB."""
    path = tmp_path / "bomb.keras"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("config.json", "w", force_zip64=True) as member,
    ):
        for _ in range(256):
            member.write(bytes(MEBIBYTE))
    assert path.stat().st_size < MEBIBYTE
    return path


def two_configs_outside(tmp_path: Path) -> Path:
    """S9: a member that would lie elsewhere, and a name that comes twice."""
    path = tmp_path / "outside.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("../../made-by-a-model", "outside")
        file.writestr("config.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("config.json", "{}")
    return path


def cut_short(tmp_path: Path) -> Path:
    """S9."""
    path = keras_file(tmp_path).rename(tmp_path / "cut.keras")
    path.write_bytes(path.read_bytes()[:100])
    return path


def wrong_magic(tmp_path: Path) -> Path:
    """S9."""
    path = tmp_path / "magic.keras"
    path.write_bytes(b"\x7fELF" + bytes(100))
    return path


MODELS = (keras_file, h5_file, zip_bomb, two_configs_outside, cut_short, wrong_magic)


@pytest.mark.parametrize("make", MODELS)
def test_model_file_is_refused_by_name(tmp_path, make, capsys):
    path = make(tmp_path)
    before = path.stat().st_atime_ns, sorted(tmp_path.rglob("*"))
    with pytest.raises(WeightsError, match="is not a file of backbone weights"):
        zoo.build("tiny_image", weights=path)
    photo = tmp_path.parent / f"{tmp_path.name}.png"
    photo.write_bytes(b"image")
    for arguments in (
        ["predict", str(path), str(photo)],
        ["evaluate", str(path), "--data", "builtin:digits"],
        ["export", str(path), "--to", str(tmp_path.parent / "models")],
        ["report", str(path)],
    ):
        assert main(arguments) in (2, 4)
        said = capsys.readouterr().err
        assert said.startswith("zoo: ")
        assert "Traceback" not in said
    assert (path.stat().st_atime_ns, sorted(tmp_path.rglob("*"))) == before


# ---- presets of KerasHub ----


def naming(module: str, name: str, **config) -> dict:
    return {"module": module, "class_name": name, "config": config}


CONFIGS = {
    "S1: code": (None, "a `Lambda` layer whose `function` is a Python lambda"),
    "S3: a function of the system": (
        naming("os", "system", command="touch made-by-a-model"),
        "could not be deserialized",
    ),
    "S3: a class that runs programs": (
        naming("subprocess", "Popen", args=["touch", "made-by-a-model"]),
        "could not be deserialized",
    ),
    "S4: what turns the guard off": (
        naming("keras.config", "enable_unsafe_deserialization"),
        "is not a modeling function",
    ),
    "S4: what fetches files": (
        naming("keras.utils", "get_file", fname="x", origin="file:///etc/passwd"),
        "is not a modeling function",
    ),
    "S5: a table that is a foreign file": (
        naming("keras.layers", "StringLookup", vocabulary="/etc/passwd"),
        "could not be deserialized",
    ),
    "S6: a foreign SavedModel": (
        naming("keras.layers", "TFSMLayer", filepath="/tmp/model"),
        "a `TFSMLayer`, which loads an external SavedModel",
    ),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_preset_with_more_than_network_is_refused(tmp_path, kind, monkeypatch):
    pytest.importorskip("keras_hub")
    preset = tmp_path / "preset"
    preset.mkdir()
    monkeypatch.chdir(tmp_path)
    config, said = CONFIGS[kind]
    inside = config or evil_config(tmp_path)
    # A class that KerasHub has, of two networks, and these come from somebody else.
    clip = naming(
        "keras_hub.src.models.clip.clip_backbone",
        "CLIPBackbone",
        vision_encoder=inside,
        text_encoder=inside,
        projection_dim=4,
    )
    clip["registered_name"] = "keras_hub>CLIPBackbone"
    (preset / "config.json").write_text(json.dumps(clip))
    (preset / "metadata.json").write_text("{}")
    was_safe = serialization_lib.in_safe_mode()
    with pytest.raises(BackboneError, match=f"cannot load the preset .*{said}"):
        zoo.build("kerashub", handle=str(preset))
    assert serialization_lib.in_safe_mode() is was_safe
    assert [path.name for path in tmp_path.iterdir()] == ["preset"]


# ---- HDF5 ----


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "good.weights.h5"
    zoo.build("tiny_image", weights=None).model.save_weights(path)
    return path


def external_storage(file, name, shape, foreign):
    count = int(np.prod(shape)) * 4
    file.create_dataset(name, shape, "float32", external=[(str(foreign), 0, count)])


def external_link(file, name, shape, foreign):
    file[name] = h5py.ExternalLink(str(foreign), name)


def virtual(file, name, shape, foreign):
    layout = h5py.VirtualLayout(shape, "float32")
    layout[...] = h5py.VirtualSource(str(foreign), name, shape)
    file.create_virtual_dataset(name, layout)


def shape_bomb(file, name, shape, foreign):
    """16 GiB of zeros in a few bytes."""
    file.create_dataset(name, (2**18, 2**14), "float32", chunks=True)


@pytest.mark.parametrize(
    "spoil", [external_storage, external_link, virtual, shape_bomb]
)
def test_weights_outside_their_file_are_refused(tmp_path, good, spoil):
    """S8."""
    path, foreign = tmp_path / "evil.weights.h5", tmp_path / "foreign.h5"
    shutil.copy(good, path)
    shutil.copy(good, foreign)
    zoo.build("tiny_image", weights=path)
    with h5py.File(path, "r+") as file:
        names = []
        file.visit(names.append)
        name = next(
            one
            for one in names
            if "conv" in one and isinstance(file[one], h5py.Dataset)
        )
        shape = file[name].shape
        del file[name]
        spoil(file, name, shape, foreign)
    with pytest.raises(WeightsError, match="does not hold weights of tiny_image"):
        zoo.build("tiny_image", weights=path)
