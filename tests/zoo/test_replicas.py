"""A SavedModel trains on two replicas as on one device.

Each case has a process of its own: a process can have logical devices only before
TensorFlow starts, and Keras takes one strategy per process.
"""

import functools
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support import tiny_modules, warm_python

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
from pathlib import Path
import keras, numpy as np, tensorflow as tf
from tests.support import tiny_modules
from zoo.saved_model.layer import SavedModelLayer

keras.utils.set_random_seed(0)
folder, kind, mode = Path(sys.argv[1]) / "module", *sys.argv[2:]
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
if kind == "ExportArchive":
    network = tiny_modules.keras_network(16)
    tiny_modules.save_archive(folder, network, with_training=True)
elif kind == "TF Hub":
    tiny_modules.save_hub(folder)
else:
    tiny_modules.save_bare(folder)
images = np.random.default_rng(0).random((16, 16, 16, 3), np.float32)
labels = np.arange(16) % 2

def trained(rate):
    layer = SavedModelLayer(
        folder, runs_in_inference=mode == "inference", name="module"
    )
    start = [weight.numpy().copy() for weight in layer.weights]
    inputs = keras.Input((16, 16, 3))
    head = keras.layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(1))
    model = keras.Model(inputs, head(layer(inputs)))
    model.compile(
        # Adam turns a gradient of nothing but rounding into a whole step, unless:
        keras.optimizers.Adam(rate, epsilon=1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    done = model.fit(images, labels, batch_size=8, epochs=2, shuffle=False, verbose=0)
    moved = {
        weight.name: (weight.numpy() - old).ravel().tolist()
        for weight, old in zip(layer.weights, start)
    }
    return {"loss": done.history["loss"], "moved": moved}

found = {"one": trained(0.01)}
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    found["two"] = trained(0.01)
with strategy.scope():
    found["still"] = trained(0.0)
found["replicas"] = strategy.num_replicas_in_sync
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs the program for a kind of module and a mode, once each."""

    @functools.cache
    def run(kind, mode):
        return _run(tmp_path_factory.mktemp("replicas"), kind, mode)

    return run


def _run(folder, kind, mode):
    program = [sys.executable, "-c", PROGRAM, str(folder), kind, mode]
    ended = warm_python.run(
        program, cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["replicas"] == 2
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["TF Hub", "ExportArchive"])
def test_two_replicas_train_as_one_device(run, kind):
    found = run(kind, "inference")
    np.testing.assert_allclose(found["two"]["loss"], found["one"]["loss"], rtol=1e-5)
    assert found["one"]["loss"][0] != found["one"]["loss"][1]
    one, two = found["one"]["moved"], found["two"]["moved"]
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_allclose(two[name], one[name], atol=1e-5, err_msg=name)
    assert np.abs(one["conv_w" if kind == "TF Hub" else "conv2d_kernel"]).max() > 1e-3


@pytest.mark.slow
def test_in_training_mode_the_statistics_of_both_count(run):
    """Each replica sees half of a batch, so the numbers are not those of one device."""
    moved = run("ExportArchive", "training")["two"]["moved"]
    assert all(np.abs(values).max() > 0 for values in moved.values())


@pytest.mark.slow
def test_regularization_is_added_once_over_two_replicas(run):
    with_loss, without = (
        run(kind, "inference") for kind in ("TF Hub", "bare tf.Module")
    )
    # Both have the same weights, and with a rate of 0 they keep them.
    added = np.subtract(with_loss["still"]["loss"], without["still"]["loss"])
    kernel = tiny_modules.TinyModule().kernel.numpy()
    expected = tiny_modules.L2 * np.square(kernel).sum() / 2
    assert added == pytest.approx([expected] * 2, rel=1e-3)
