"""Proof that a converted file answers like the SavedModel that it was made of.

The file runs in a fresh process with its own runtime and no TensorFlow, as it will
where it is used: an operation that only TensorFlow has fails here, and not there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import ArtifactError
from pipelines.formats.targets import Target
from pipelines.serving.fresh_process import FreshProcess, temporary_folder_is_full

# Float32 formats differ by the order of their sums; a mixed precision rounds sums, too.
LARGEST_DIFFERENCE = 0.01
# Allowed without progress of the fresh process: neither a step nor computing.
_TIMEOUT_SECONDS = 600

# Both read a `.npy` file `[n, ...]`, without loading all of it, and write a `.npz` file
# with probabilities and the seconds of every example that was answered alone.
_LITERT = """
import sys
import time
import numpy as np
from ai_edge_litert.interpreter import Interpreter

def work(job, report):
    inputs = np.load(job["inputs"], mmap_mode="r")
    report("loading the file")
    model = Interpreter(job["file"], num_threads=job["threads"])
    run = model.get_signature_runner("serving_default")
    (name,) = run.get_input_details()
    for _ in range(3):
        run(**{name: inputs[:1]})
    probabilities, seconds = [], []
    for i in range(len(inputs)):
        if i % 50 == 0:
            report(f"answering example {i} of {len(inputs)}")
        example = np.array(inputs[i : i + 1])
        started = time.perf_counter()
        probabilities.append(run(**{name: example})["probabilities"][0])
        seconds.append(time.perf_counter() - started)
    assert "tensorflow" not in sys.modules
    np.savez(
        job["outputs"], probabilities=np.array(probabilities), seconds=np.array(seconds)
    )
"""
_ONNX = """
import sys
import time
import numpy as np
import onnxruntime

def work(job, report):
    inputs = np.load(job["inputs"], mmap_mode="r")
    report("loading the file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job["threads"]
    model = onnxruntime.InferenceSession(
        job["file"], options, providers=["CPUExecutionProvider"]
    )
    (name,) = [entry.name for entry in model.get_inputs()]
    for _ in range(3):
        model.run(["probabilities"], {name: inputs[:1]})
    report("answering examples one by one")
    alone, seconds = [], []
    for i in range(min(50, len(inputs))):
        example = np.array(inputs[i : i + 1])
        started = time.perf_counter()
        alone.append(model.run(["probabilities"], {name: example})[0][0])
        seconds.append(time.perf_counter() - started)
    batches = []
    for i in range(0, len(inputs), 32):
        report(f"answering example {i} of {len(inputs)}")
        batch = {name: np.array(inputs[i : i + 32])}
        batches.append(model.run(["probabilities"], batch)[0])
    probabilities = np.concatenate(batches)
    np.testing.assert_allclose(probabilities[: len(alone)], alone, atol=1e-3)
    assert "tensorflow" not in sys.modules
    np.savez(job["outputs"], probabilities=probabilities, seconds=np.array(seconds))
"""
_PROGRAMS = {
    "onnx": (_ONNX, ("numpy", "onnxruntime")),
    "litert": (_LITERT, ("numpy", "ai_edge_litert")),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """The answers of the SavedModel for real examples, to compare a file with.

    `inputs` is a `.npy` file of raw examples `[n, ...]`, `labels` int64 `[n]`, and
    `probabilities` float32 `[n, classes]`. `seconds` is the median of an example alone.
    """

    inputs: Path
    split: str
    labels: np.ndarray
    probabilities: np.ndarray
    seconds: float
    threads: int

    @property
    def accuracy(self) -> float:
        """The accuracy of the SavedModel on these examples."""
        return _accuracy(self.probabilities, self.labels)


def prove(
    target: Target, file: Path, reference: Reference, *, max_accuracy_loss: float
) -> dict[str, Any]:
    """The record of a comparison, once the file has passed it.

    Raises:
        ArtifactError: if the file does not run without TensorFlow, answers with
            anything but probabilities, loses more than `max_accuracy_loss`, or differs
            by more than `LARGEST_DIFFERENCE` though the format keeps float32.
    """
    probabilities, seconds = _run(target, file, reference)
    record = _compare(probabilities, reference)
    _refuse_bad(target, record, max_accuracy_loss=max_accuracy_loss)
    content = file.read_bytes()
    return {
        "format": target.name,
        "file": file.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        **record,
        "max_accuracy_loss": max_accuracy_loss,
        "seconds_per_example": float(np.median(seconds)),
        "saved_model_seconds_per_example": reference.seconds,
        "threads": reference.threads,
    }


def _run(
    target: Target, file: Path, reference: Reference
) -> tuple[np.ndarray, np.ndarray]:
    program, modules = _PROGRAMS[target.extra]
    subject = f"The file in the format {target.name}"
    try:
        scratch = tempfile.TemporaryDirectory(prefix="zootune_proof_")
    except OSError as error:
        raise temporary_folder_is_full(error) from error
    with scratch as folder:
        outputs = Path(folder) / "outputs.npz"
        job = {
            "file": str(file.absolute()),
            "inputs": str(reference.inputs.absolute()),
            "outputs": str(outputs),
            "threads": reference.threads,
        }
        with FreshProcess(program, subject=subject, modules=modules) as process:
            process.run(job, most_quiet_seconds=_TIMEOUT_SECONDS)
        with np.load(outputs) as arrays:
            return arrays["probabilities"], arrays["seconds"]


def _compare(probabilities: np.ndarray, reference: Reference) -> dict[str, Any]:
    expected = reference.probabilities
    if probabilities.shape != expected.shape or not np.isfinite(probabilities).all():
        raise ArtifactError(
            f"The converted file answers with shape {probabilities.shape}, and"
            f" {np.count_nonzero(~np.isfinite(probabilities))} of its numbers are not"
            f" finite. Expected probabilities of shape {expected.shape}; nothing was"
            " published."
        )
    accuracy = _accuracy(probabilities, reference.labels)
    return {
        "split": reference.split,
        "examples": len(expected),
        "accuracy": accuracy,
        "saved_model_accuracy": reference.accuracy,
        "accuracy_loss": reference.accuracy - accuracy,
        "agreement": float(
            (probabilities.argmax(axis=1) == expected.argmax(axis=1)).mean()
        ),
        "largest_difference": float(np.abs(probabilities - expected).max()),
    }


def _accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return float((probabilities.argmax(axis=1) == labels).mean())


def _refuse_bad(
    target: Target, record: dict[str, Any], *, max_accuracy_loss: float
) -> None:
    # Fractions of the same whole number: a difference by rounding is not a loss.
    if record["accuracy_loss"] > max_accuracy_loss + 1e-9:
        raise ArtifactError(
            f"The format {target.name} loses {record['accuracy_loss']:.4f} of accuracy"
            f" on {record['examples']} examples of the {record['split']} split:"
            f" {record['accuracy']:.4f} after {record['saved_model_accuracy']:.4f}, and"
            f" {max_accuracy_loss:g} is allowed. Nothing was published. Leave the"
            " format out, or say with --max-accuracy-loss what it may cost."
        )
    if target.keeps_float32 and record["largest_difference"] > LARGEST_DIFFERENCE:
        raise ArtifactError(
            f"The format {target.name} differs from the SavedModel by"
            f" {record['largest_difference']:.3g} in a probability, and"
            f" {LARGEST_DIFFERENCE:g} is allowed where no weight is rounded: it does"
            " not compute the same. Nothing was published; leave the format out."
        )
