"""The outputs of a SavedModel in a fresh process.

The process imports TensorFlow, the modules that a manifest names, and nothing of ours:
what the SavedModel needs is in its folder, or it fails here instead of in production.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.serving.fresh_process import FreshProcess, temporary_folder_is_full

# The fresh process may make no progress for so long: neither a step nor computing.
_TIMEOUT_SECONDS = 600
SUBJECT = "The exported SavedModel"
_MODULES = ("numpy", "tensorflow")

# Reads a file with an array for each `signature/batch size/input name`, strings as
# places in a list of all, and writes one with an array for each `.../output name`.
# TensorFlow is imported before the job is known; loaded and compiled is the SavedModel
# while what to ask is worked out.
_PROGRAM = """
import importlib
import sys
import numpy as np
import tensorflow as tf

loaded = {}

def read_strings(arrays):
    joined = arrays["strings"].tobytes()
    ends = np.cumsum(arrays["lengths"])
    return [joined[end - n : end] for end, n in zip(ends, arrays["lengths"])]

def load(job, report):
    if job["folder"] not in loaded:
        sys.path.extend(job["places"])
        for module in job["requires"]:
            report(f"importing {module}")
            importlib.import_module(module)
        report("loading the SavedModel")
        loaded[job["folder"]] = tf.saved_model.load(job["folder"])
    return loaded[job["folder"]]

def prepare(job, report):
    # The first call of a function compiles it, also where there is nothing to answer.
    for name, serve in load(job, report).signatures.items():
        report(f"compiling {name}")
        takes = serve.structured_input_signature[1]
        serve(**{
            key: tf.zeros([0, *(size or 1 for size in spec.shape[1:])], spec.dtype)
            for key, spec in takes.items()
        })

def work(job, report):
    model = load(job, report)
    found = {}
    with np.load(job["inputs"]) as arrays:
        strings = read_strings(arrays)
        asked = {}
        of_strings = set(job["of_strings"])
        for key in job["keys"]:
            signature, size, name = key.split("/")
            given = arrays[key]
            if key in of_strings:
                given = tf.constant([strings[i] for i in given], tf.string)
            asked.setdefault((signature, size), {})[name] = tf.constant(given)
        for number, ((signature, size), given) in enumerate(asked.items(), 1):
            where = f"{number} of {len(asked)}"
            report(f"running {signature} on {size} examples ({where})")
            serve = model.signatures[signature]
            for output, value in serve(**given).items():
                found[f"{signature}/{size}/{output}"] = value.numpy()
    report("writing what it found")
    # Strings come back as objects, which npz could only hold pickled; and a long label
    # that is there for every class of every example is written once.
    for key in [key for key, value in found.items() if value.dtype == object]:
        words, where = np.unique(found[key], return_inverse=True)
        found[key] = where.reshape(found[key].shape).astype(np.int32)
        found[f"{key}/words"] = words.astype("S")
    np.savez(job["outputs"], **found)
"""


def fresh_process() -> FreshProcess:
    """The process that SavedModels are proved in; it can be started early."""
    return FreshProcess(_PROGRAM, subject=SUBJECT, modules=_MODULES)


def prepare(
    process: FreshProcess, folder: Path, scratch: Path, *, requires: Sequence[str] = ()
) -> None:
    """Has the process load the SavedModel while its inputs are worked out."""
    process.prepare(_job_of(folder, scratch, requires), modules=requires)


def _job_of(folder: Path, scratch: Path, requires: Sequence[str]) -> dict[str, Any]:
    """The part of a job that loads a SavedModel."""
    # By another path: TensorFlow takes brackets in the path of a model for a pattern.
    model = scratch / "linked_model"
    # Left alone where it is right: the process may be reading through it by now.
    if not (model.is_symlink() and model.readlink() == folder.absolute()):
        model.unlink(missing_ok=True)
        model.symlink_to(folder.absolute())
    return {"folder": str(model.absolute()), "requires": list(requires)}


def run_in_fresh_process(
    folder: Path,
    inputs: Mapping[str, np.ndarray],
    scratch: Path,
    *,
    requires: Sequence[str] = (),
    process: FreshProcess | None = None,
) -> dict[str, np.ndarray]:
    """The outputs of a SavedModel; keys are `signature/batch size/name`.

    `requires` are the modules that bring ops of its graph. `process` is one that was
    started early; without it, a process is started.

    Raises:
        ArtifactError: if the SavedModel does not load or does not run, or if the
            process is ended or makes no progress.
    """
    inputs_file, outputs_file = scratch / "inputs.npz", scratch / "outputs.npz"
    packed, of_strings = _packed(inputs)
    try:
        np.savez(inputs_file, allow_pickle=False, **packed)
    except OSError as error:
        needed = sum(array.nbytes for array in packed.values())
        raise temporary_folder_is_full(error, needed_bytes=needed) from error
    job = {
        **_job_of(folder, scratch, requires),
        "keys": list(inputs),
        "of_strings": of_strings,
        "inputs": str(inputs_file.absolute()),
        "outputs": str(outputs_file.absolute()),
    }
    with process or fresh_process() as running:
        running.run(job, modules=requires, most_quiet_seconds=_TIMEOUT_SECONDS)
    with np.load(outputs_file) as arrays:
        return _read(arrays)


def _packed(inputs: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], list[str]]:
    """Arrays for a file, and the keys of strings (arrays of `bytes` objects).

    A string that is asked about in several ways is in it once: it may be a photograph.
    """
    places: dict[int, int] = {}
    strings: list[bytes] = []
    arrays: dict[str, np.ndarray] = {}
    of_strings = [key for key, value in inputs.items() if value.dtype == object]
    for key, value in inputs.items():
        if key in of_strings:
            for string in value:
                if places.setdefault(id(string), len(strings)) == len(strings):
                    strings.append(string)
            arrays[key] = np.array([places[id(string)] for string in value], np.int64)
        else:
            arrays[key] = value
    joined = np.frombuffer(b"".join(strings), np.uint8)
    lengths = np.array([len(string) for string in strings], np.int64)
    return {**arrays, "strings": joined, "lengths": lengths}, of_strings


def _read(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs as they were: strings are `bytes` in arrays of objects."""
    values = {key: arrays[key] for key in arrays if not key.endswith("/words")}
    for key in values:
        if f"{key}/words" in arrays:
            strings = np.empty(values[key].shape, object)
            if strings.size:
                strings[:] = arrays[f"{key}/words"].astype(object)[values[key]]
            values[key] = strings
    return values
