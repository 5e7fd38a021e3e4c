"""A generator on disk draws what is beside it; what it cannot learn from is named."""

import json

import numpy as np
import pytest
from PIL import Image

from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import ArtifactError, ConfigError, DataError
from pipelines.methods.generator import generate as module
from pipelines.methods.generator.generate import generate
from pipelines.methods.generator.settings import GeneratorSettings
from pipelines.serving.loading import load_saved_model

DATA = "builtin:digits?limit=100"
SETTINGS = GeneratorSettings(steps=3, batch_size=8, noise=4, filters=4)


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    to = tmp_path_factory.mktemp("generator") / "new/[digits]"
    return generate(DATA, to, count=4, size_px=8, settings=SETTINGS)


def test_folder_loads_as_data_of_its_classes(generated):
    splits = load(DatasetRef.parse(f"dir:{generated.folder / 'images'}"))
    assert splits.info.class_names == generated.class_names
    assert len(list((generated.folder / "images").rglob("*.png"))) == 40
    with Image.open(generated.folder / "sheet.png") as sheet:
        assert sheet.size == (4 * 8, 10 * 8)
        assert sheet.mode == "L"  # digits are grey
    about = json.loads((generated.folder / "generator.json").read_text())
    assert about["settings"]["steps"] == 3
    assert about["examples"] == generated.examples == 60


def test_saved_network_draws_of_any_class(generated):
    model = load_saved_model(generated.folder / "model/1")
    serve = model.signatures["serving_default"]
    noise = np.zeros((3, 4), np.float32)
    image = serve(noise=noise, label=np.array([0, 9, 9]))["image"].numpy()
    assert image.shape == (3, 8, 8, 1)
    assert (image[1] == image[2]).all()


def test_other_images_of_the_saved_network_are_refused(tmp_path, monkeypatch):
    save = module._save

    def save_another(learned, folder):
        weights = learned.drawer.trainable_weights[0]
        weights.assign(-3.0 * weights)
        save(learned, folder)

    monkeypatch.setattr(module, "_save", save_another)
    with pytest.raises(ArtifactError, match="draws other images"):
        generate(DATA, tmp_path / "g", count=1, size_px=8, settings=SETTINGS)
    assert not (tmp_path / "g").exists()


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"size_px": 30}, "a multiple of 4 from 8 to 64"),
        ({"size_px": 4}, "Images of 4 px"),
        ({"size_px": 128}, "Images of 128 px"),
        ({"count": 0}, "count is 0"),
        ({"settings": GeneratorSettings(steps=0)}, "steps is 0"),
        ({"settings": GeneratorSettings(batch_size=0)}, "batch_size is 0"),
        ({"settings": GeneratorSettings(learning_rate=0)}, "learning_rate is 0"),
        (
            {"settings": GeneratorSettings(learning_rate=float("nan"))},
            "learning_rate is nan",
        ),
    ],
)
def test_numbers_out_of_range_are_named(tmp_path, fields, fault):
    with pytest.raises(ConfigError, match=fault):
        generate(DATA, tmp_path / "g", **fields)


def test_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty"):
        generate(DATA, tmp_path)


def test_data_that_are_not_labelled_images_are_refused(tmp_path):
    texts = tmp_path / "texts.csv"
    rows = [f"word {i},{'ab'[i % 2]}" for i in range(20)]
    texts.write_text("\n".join(["text,label", *rows]))
    with pytest.raises(DataError, match="holds texts. A generator"):
        generate(f"csv:{texts}", tmp_path / "g")
    x = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3)).astype(np.uint8)
    y = np.random.default_rng(1).integers(0, 2, (30, 3))
    np.savez(tmp_path / "several.npz", x=x, y=y)
    with pytest.raises(DataError, match="has labels for 'multi_label'"):
        generate(f"npz:{tmp_path / 'several.npz'}", tmp_path / "g")
