"""A saved model loads in a process that has imported zoo and nothing more of ours."""

import ast
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from zoo import keras_objects

ROOT = Path(__file__).parents[2]


def decorated() -> dict[str, str]:
    """Every class that registers itself with Keras, and its module."""
    found = {}
    for package in ("zoo", "pipelines"):
        for path in (ROOT / package).rglob("*.py"):
            module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and any(
                    "register_keras_serializable" in ast.unparse(one)
                    for one in node.decorator_list
                ):
                    found[node.name] = module
    return found


def test_every_registered_class_is_in_the_table():
    assert len(keras_objects.CLASSES) >= 18
    assert decorated() == keras_objects.CLASSES


@pytest.mark.parametrize("name", keras_objects.CLASSES)
def test_a_name_stands_for_a_class(name):
    known = keras.saving.get_custom_objects()
    assert f"zootune>{name}" in known
    assert hasattr(known[f"zootune>{name}"], "from_config")


# First `zoo` or first Keras; and what nobody asked for is not imported.
LOADS = """
import sys
import {first}
import {second}
import keras, numpy as np
assert "zoo.graph.preprocessing" not in sys.modules
assert keras.__spec__.loader is keras.__loader__
model = keras.saving.load_model(sys.argv[1])
print(repr(model(np.load(sys.argv[2])).numpy().sum()))
for name in ("pipelines.run", "zoo.builder"):
    assert name not in sys.modules, name
"""


@pytest.mark.parametrize(("first", "second"), [("zoo", "keras"), ("keras", "zoo")])
def test_a_saved_model_loads_in_a_new_process(tmp_path, first, second):
    import zoo
    from pipelines.features.pooling import GridPooling
    from pipelines.training.freezing import InferenceOnly

    backbone = zoo.build("tiny_image", weights=None, input_size_px=16)
    map_of = InferenceOnly(backbone.model)(backbone.model.input)
    model = keras.Model(backbone.model.input, GridPooling(2)(map_of))
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype("float32")
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "pixels.npy", pixels)
    ended = subprocess.run(
        [sys.executable, "-c", LOADS.format(first=first, second=second)]
        + [str(tmp_path / "model.keras"), str(tmp_path / "pixels.npy")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = float(ended.stdout.replace("np.float32", "").strip("()\n"))
    assert found == pytest.approx(float(model(pixels).numpy().sum()), rel=1e-5)
