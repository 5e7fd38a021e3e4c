"""Every experiment in `configs/` is complete, valid, and runs."""

import ast
import json
import os
import socket
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.trained import train
from pipelines.config import checked
from pipelines.config.flags import parse
from pipelines.data.readers.builtin import read as read_builtin
from pipelines.main import main
from tests.support import warm_python

FOLDER = Path(__file__).parents[1] / "configs"
FILES = sorted(path for path in FOLDER.rglob("*.py") if path.name != "__init__.py")
NAMES = [path.relative_to(FOLDER).as_posix() for path in FILES]
# A step of each: more examples in a batch than there are, and one epoch.
ON_TINY_PARTS = [
    "--config.weights=none",
    "--config.batch_size=128",
    "--config.head.epochs=1",
    "--config.finetune.epochs=1",
    "--config.effort=hours",  # trains the head also where no gain could show
]
IMAGES = ["--config.backbone=tiny_image", "--config.input_size_px=32"]
DIGITS = ["--config.data=builtin:digits?limit=120", *IMAGES]


def texts(folder: Path) -> list[str]:
    rows = [
        (f"{word} number {i}", word) for i in range(30) for word in ("bill", "joke")
    ]
    lines = ["body,folder", *(f"{text},{label}" for text, label in rows)]
    (folder / "mails.csv").write_text("\n".join(lines))
    data = f"--config.data=csv:{folder}/mails.csv?text=body&label=folder"
    return [data, "--config.backbone=tiny_text"]


def series(folder: Path) -> list[str]:
    labels = np.arange(60) % 2
    noise = np.random.default_rng(0).normal(size=(60, 24, 2))
    waves = noise + labels[:, None, None] * np.sin(np.arange(24))[None, :, None]
    np.savez(folder / "machines.npz", x=waves.astype(np.float32), y=labels)
    return [f"--config.data=npz:{folder}/machines.npz", "--config.backbone=tiny_series"]


def table(folder: Path) -> list[str]:
    draw = np.random.default_rng(0).integers(0, 9, size=(60, 2))
    lines = ["size,colour,label", *(f"{a},c{b},{a > 4}" for a, b in draw)]
    (folder / "rows.csv").write_text("\n".join(lines))
    return [f"--config.data=csv:{folder}/rows.csv?columns=*"]


def records(folder: Path) -> list[str]:
    import tensorflow as tf

    digits = read_builtin("digits")
    with tf.io.TFRecordWriter(str(folder / "digits.tfrecord")) as writer:
        for pixels, label in zip(digits.inputs.pixels[:120], digits.labels[:120]):
            features = tf.train.Features(
                feature={
                    "image": _bytes(tf.io.encode_png(pixels).numpy()),
                    "label": _bytes(b"digit %d" % label),
                }
            )
            writer.write(tf.train.Example(features=features).SerializeToString())
    return [f"--config.data=tfrecord:{folder}/*.tfrecord", *IMAGES]


def _bytes(value: bytes):
    import tensorflow as tf

    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


DATA_OF = {
    "text.py": texts,
    "series.py": series,
    "table.py": table,
    "records.py": records,
}


def header_of(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def test_all_configs_are_seen():
    assert len(FILES) == 9
    assert {"quickstart.py", "photos.py", "tiny.py", "workers.py"} <= set(NAMES)
    assert set(DATA_OF) < set(NAMES)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_header_has_purpose_command_cost_and_expectation(path):
    header = header_of(path)
    for word in ("Purpose:", "Command:", "Cost:", "Expected:"):
        assert f"\n{word}" in header, f"{path} has no line that starts with {word}"
    assert f"--config=configs/{path.relative_to(FOLDER).as_posix()}" in header


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_it_is_valid_as_it_stands(path):
    config = parse([f"--config={path}"])
    assert checked(config) == config


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_it_imports_nothing_but_the_config(path):
    modules = [
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
    ]
    assert modules == ["pipelines.config"]
    assert not [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if type(node) is ast.Import
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_it_trains_one_step_on_tiny_parts(path, tmp_path):
    workdir = tmp_path / "run"
    data = DATA_OF[path.name](tmp_path) if path.name in DATA_OF else DIGITS
    flags = [f"--config={path}", *ON_TINY_PARTS, *data, f"--config.workdir={workdir}"]
    if path.name in ("tiny.py", "workers.py"):
        if path.name == "tiny.py":
            assert main(flags) == 0
        else:
            _run_as_only_worker(flags)
        report = json.loads((workdir / "report.json").read_text())
        assert report["test"]["examples"] > 0
        assert (workdir / "artifact" / "1" / "saved_model.pb").is_file()
        phases = report["phases"]
    else:  # the export is the same for all configs
        phases = train(parse(flags)).history.phases
    lines = (workdir / "history.jsonl").read_text().splitlines()
    assert len(lines) == len(phases) > 0


def _run_as_only_worker(flags: list[str]) -> None:
    """In a process of its own: workers have to meet before anything is computed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    task = {"type": "worker", "index": 0}
    cluster = {"cluster": {"worker": [address]}, "task": task}
    ended = warm_python.run(
        [sys.executable, "-m", "pipelines.main", *flags],
        env={**os.environ, "TF_CONFIG": json.dumps(cluster)},
        cwd=FOLDER.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
