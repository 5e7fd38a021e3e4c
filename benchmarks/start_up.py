"""From the start of a process to its first training step, and the memory it takes.

A run of the main job beside the shortest Keras script for the same: JPEG in class
folders, MobileNetV2 from random weights, all layers trained with Adam, validation after
each epoch, TensorBoard. Each is a process of its own, and they take turns. Ours also
checks the data, keeps checkpoints and proves what moved. `strategy=scratch`, because a
pretrained start measures features first, which the script does not.

Memory is the largest resident set until the end of the second epoch. Processor seconds
say more than seconds where others compute at the same time.

Command: python -m benchmarks.start_up --repetitions=5
Cost:    about 1 minute for a repetition on two CPU cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.photos import write_photos
from benchmarks.spread import ratios, spread

# Both processes train through `Model.fit`, which is told to say when it has begun.
_WATCHED = """
import json, os, re, resource, sys, time
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import keras

class Watch(keras.callbacks.Callback):
    first = None

    def on_train_batch_end(self, batch, logs=None):
        if self.first is None:
            used = resource.getrusage(resource.RUSAGE_SELF)
            self.first, self.cpu = time.time(), used.ru_utime + used.ru_stime

    def on_train_end(self, logs=None):
        status = open("/proc/self/status").read()
        peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) / 1024
        with open(sys.argv[1], "w") as stream:
            json.dump([self.first, self.cpu, peak], stream)
        os._exit(0)

fit = keras.Model.fit

def watched(self, *given, callbacks=(), **options):
    watch = Watch()
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.callbacks.append(watch)
        watch.set_model(self)
    else:
        callbacks = [*callbacks, watch]
    return fit(self, *given, callbacks=callbacks, **options)

keras.Model.fit = watched
"""
_OURS = """
from pipelines.main import main
sys.exit(main([
    f"--config.data=dir:{sys.argv[2]}", f"--config.workdir={sys.argv[3]}/run",
    "--config.backbone=mobilenet_v2", "--config.strategy=scratch",
    f"--config.input_size_px={sys.argv[4]}", "--config.finetune.epochs=2",
]))
"""
_KERAS = """
size = int(sys.argv[4])
train, validation = keras.utils.image_dataset_from_directory(
    sys.argv[2], image_size=(size, size), batch_size=32, validation_split=0.15,
    subset="both", seed=0,
)
given = keras.Input((size, size, 3))
scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(given)
base = keras.applications.MobileNetV2(
    input_shape=(size, size, 3), include_top=False, weights=None, pooling="avg"
)
model = keras.Model(given, keras.layers.Dense(4)(base(scaled)))
model.compile(
    keras.optimizers.Adam(1e-3),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"], jit_compile=False,
)
model.fit(
    train, validation_data=validation, epochs=2, verbose=2,
    callbacks=[keras.callbacks.TensorBoard(sys.argv[3], write_graph=False)],
)
"""


def measured(script: str, photos: Path, *, size_px: int) -> tuple[float, float, float]:
    """Seconds to the first step, those of processors until then, and MiB of memory."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        arguments = [str(result), str(photos), folder, str(size_px)]
        started = time.time()
        ended = subprocess.run(
            [sys.executable, "-c", _WATCHED + script, *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
            check=False,
        )
        if not result.is_file():
            raise RuntimeError(f"It did not train: {ended.stdout}{ended.stderr}")
        first, cpu, peak_mib = json.loads(result.read_text())
        return first - started, cpu, peak_mib


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--photos", type=int, default=256)
    parser.add_argument("--size", type=int, default=96)
    arguments = parser.parse_args()
    seconds: dict[str, list[tuple[float, float, float]]] = {"ours": [], "keras": []}
    scripts = {"ours": _OURS, "keras": _KERAS}
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder), arguments.photos)
        for repetition in range(arguments.repetitions):
            # In turn: the second one finds files in the memory of the system.
            for name in sorted(scripts, reverse=bool(repetition % 2)):
                result = measured(scripts[name], Path(folder), size_px=arguments.size)
                seconds[name].append(result)
    print("| | zootune | Keras script | ratio |")
    print("| --- | --- | --- | --- |")
    for label, digits, ours, keras in zip(
        (
            "seconds to the first step",
            "processor seconds until then",
            "peak memory, MiB",
        ),
        (1, 1, 0),
        zip(*seconds["ours"]),
        zip(*seconds["keras"]),
    ):
        columns = (spread(ours, digits=digits), spread(keras, digits=digits))
        print(f"| {label} | {' | '.join(columns)} | {spread(ratios(ours, keras))} |")


if __name__ == "__main__":
    main()
