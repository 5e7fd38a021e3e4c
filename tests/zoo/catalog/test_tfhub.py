"""Rows of TF Hub: what they say, and that one builds from an address like theirs."""

import contextlib
import dataclasses
import io
import json
import re
import tarfile
import urllib.parse

import numpy as np
import pytest
import tensorflow as tf

import zoo
from pipelines.cli import main
from pipelines.commands import doctor
from tests.support import tiny_modules
from tests.support.tiny_modules import WIDTH
from zoo.catalog.tfhub import SPECS
from zoo.errors import BackboneError, OfflineError
from zoo.spec import ZERO_TO_ONE, ImageInput, TextInput
from zoo.storage import store
from zoo.weights.handles import resolve_handle

SIZE = 16
TEXTS = tf.constant(["good film", "bad book", ""])
IMAGE, TEXT = "hub_mobilenet_v2", "hub_nnlm_en_dim50"


def _packed(folder) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        tar.add(folder, ".")
    return stream.getvalue()


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Small modules of the two kinds, as the site sends them."""
    base = tmp_path_factory.mktemp("modules")
    return {
        IMAGE: _packed(tiny_modules.save_slim(base / "image", size=SIZE)),
        TEXT: _packed(tiny_modules.save_text(base / "text")),
    }


@pytest.fixture
def stand_in(site, answer, archives):
    """Registers the row of a name with a page on this machine, and small features."""
    with contextlib.ExitStack() as registered:

        def register(name, /, **changes):
            spec = zoo.get_spec(name)
            page = urllib.parse.urlsplit(spec.handle).path.strip("/")
            site.at(f"{page}?tf-hub-format=compressed", answer(archives[name]))
            if isinstance(spec.input, ImageInput):
                changes = {"input": ImageInput(SIZE, SIZE, ZERO_TO_ONE), **changes}
            row = dataclasses.replace(
                spec,
                **{
                    "name": f"{name}_here",
                    "handle": f"{site.address}/{page}",
                    "feature_width": WIDTH,
                    **changes,
                },
            )
            zoo.register(row)
            registered.callback(zoo.unregister, row.name)
            return row

        yield register


def test_rows_name_versions_of_hub_modules():
    assert len(SPECS) == 19
    assert len({spec.handle for spec in SPECS}) == len(SPECS)
    for spec in SPECS:
        assert re.fullmatch(r"https://tfhub\.dev/[\w/.-]+/\d", spec.handle)
        assert spec.name.startswith("hub_")
        assert (spec.source, spec.license) == ("tfhub", "Apache-2.0")
        assert spec.carries_weights
        assert spec.pretrained
        assert spec.block_names == ("module",)
        assert spec.paper.startswith("http")
        assert spec.parameters is None
        assert zoo.get_spec(spec.name) == spec
    inputs = [spec.input for spec in SPECS]
    images = [one for one in inputs if isinstance(one, ImageInput)]
    assert {one.pixels for one in images} == {ZERO_TO_ONE}
    assert len(images) == 12
    assert inputs.count(TextInput()) == 7


def test_an_image_row_builds_from_its_page(stand_in, site):
    row = stand_in(IMAGE)
    backbone = zoo.build(row.name)
    assert (backbone.spec, backbone.weights) == (row, "default")
    assert backbone.model.output_shape == (None, 1, 1, WIDTH)
    pixels = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3))
    loaded = tf.saved_model.load(str(resolve_handle(row.handle, offline=True)))
    wanted = loaded((pixels / 255).astype("float32"))
    found = backbone.model(pixels.astype("uint8"))[:, 0, 0]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert len(site.requests) == 1


def test_a_text_row_builds_from_its_page(stand_in, site):
    row = stand_in(TEXT)
    backbone = zoo.build(row.name)
    assert backbone.model.output_shape == (None, WIDTH)
    assert (backbone.input_size_px, backbone.input_length) == (None, None)
    assert backbone.model.input.name == "text"
    loaded = tf.saved_model.load(str(resolve_handle(row.handle, offline=True)))
    np.testing.assert_array_equal(backbone.model(TEXTS), loaded(TEXTS))
    assert len(site.requests) == 1


def test_module_that_differs_from_its_row_is_refused(stand_in):
    wide = stand_in(TEXT, feature_width=50, name="too_wide")
    with pytest.raises(BackboneError, match="width 50, but .* gives 6"):
        zoo.build(wide.name)
    image = ImageInput(SIZE, SIZE, ZERO_TO_ONE)
    no_image = stand_in(TEXT, input=image, name="no_image")
    with pytest.raises(BackboneError, match=r"takes only string \[None\], not"):
        zoo.build(no_image.name)
    no_text = stand_in(IMAGE, input=TextInput(), name="no_text")
    with pytest.raises(BackboneError, match=r"takes only float32 \[None, 16, 16, 3\]"):
        zoo.build(no_text.name)


def test_absent_module_offline_is_an_error(stand_in, monkeypatch):
    row = stand_in(TEXT)
    monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
    with pytest.raises(OfflineError, match="nothing is fetched offline"):
        zoo.build(row.name)
    monkeypatch.delenv("ZOOTUNE_OFFLINE")
    assert zoo.build(row.name)
    monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
    assert zoo.build(row.name)


class TestCommands:
    def test_fetch_brings_modules_by_name_and_by_address(self, stand_in, site, capsys):
        row = stand_in(TEXT)
        assert row.name not in doctor.examine().weights_at_hand
        assert main(["fetch", row.name, "--json"]) == 0
        (found,) = json.loads(capsys.readouterr().out)["weights"]
        folder = store.folder() / "entries"
        assert found["path"].startswith(str(folder))
        assert (found["name"], found["sha256"]) == (row.name, None)
        assert found["bytes"] > 1000
        assert row.name in doctor.examine().weights_at_hand
        assert main(["fetch", row.handle, "--offline", "--json"]) == 0
        (again,) = json.loads(capsys.readouterr().out)["weights"]
        assert again == {**found, "name": row.handle}
        assert len(site.requests) == 1

    def test_offline_it_fetches_nothing(self, stand_in, site, capsys):
        row = stand_in(TEXT)
        assert main(["fetch", row.name, "--offline"]) == 4
        assert "nothing is fetched offline" in capsys.readouterr().err
        assert main(["fetch", f"{site.address}/nowhere"]) == 4
        assert "answered 404" in capsys.readouterr().err
        assert main(["fetch", "hub_mobilenet_v22"]) == 4
        assert "Did you mean hub_mobilenet_v2" in capsys.readouterr().err

    def test_a_copy_for_another_machine_builds(self, stand_in, tmp_path, capsys):
        row = stand_in(TEXT)
        assert main(["fetch", row.name, row.handle, "--to", str(tmp_path)]) == 0
        assert "--config.backbone=tfhub --config.handle=PATH" in capsys.readouterr().out
        folders = sorted(path.name for path in tmp_path.iterdir())
        assert folders == ["google_nnlm-en-dim50_2", row.name]
        for folder in folders:
            backbone = zoo.build("tfhub", handle=tmp_path / folder)
            assert backbone.spec.modality == "text"
        assert main(["fetch", row.name, "--to", str(tmp_path)]) == 4
        assert "has no such folder yet" in capsys.readouterr().err

    def test_info_shows_source_and_place(self, stand_in, capsys):
        row = stand_in(TEXT)
        assert main(["info", row.name]) == 0
        said = capsys.readouterr().out
        assert re.search(rf"^from +{row.handle}$", said, re.MULTILINE)
        assert f"no; zoo fetch {row.name} --allow-unpinned" in said
        assert main(["fetch", row.name]) == 0
        capsys.readouterr()
        assert main(["info", row.name]) == 0
        assert re.search(rf"on this machine +{store.folder()}", capsys.readouterr().out)
