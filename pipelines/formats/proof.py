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
from pipelines.formats.measures import Measure
from pipelines.formats.targets import Target
from pipelines.serving.fresh_process import FreshProcess, temporary_folder_is_full

# Float32 formats differ by the order of their sums; a mixed precision rounds sums, too.
LARGEST_DIFFERENCE = 0.01
# Allowed without progress of the fresh process: neither a step nor computing.
_TIMEOUT_SECONDS = 600

# Both read a `.npy` file `[n, ...]`, without loading all of it, and write a `.npz` file
# with the answers and the seconds of every example that was answered alone.
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
    outputs, seconds = [], []
    for i in range(len(inputs)):
        if i % 50 == 0:
            report(f"answering example {i} of {len(inputs)}")
        example = np.array(inputs[i : i + 1])
        started = time.perf_counter()
        outputs.append(run(**{name: example})[job["output"]][0])
        seconds.append(time.perf_counter() - started)
    assert "tensorflow" not in sys.modules
    np.savez(job["outputs"], outputs=np.array(outputs), seconds=np.array(seconds))
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
        model.run([job["output"]], {name: inputs[:1]})
    report("answering examples one by one")
    alone, seconds = [], []
    for i in range(min(50, len(inputs))):
        example = np.array(inputs[i : i + 1])
        started = time.perf_counter()
        alone.append(model.run([job["output"]], {name: example})[0][0])
        seconds.append(time.perf_counter() - started)
    batches = []
    for i in range(0, len(inputs), 32):
        report(f"answering example {i} of {len(inputs)}")
        batch = {name: np.array(inputs[i : i + 32])}
        batches.append(model.run([job["output"]], batch)[0])
    outputs = np.concatenate(batches)
    largest = max(1, np.abs(outputs).max())
    np.testing.assert_allclose(outputs[: len(alone)], alone, atol=1e-3 * largest)
    assert "tensorflow" not in sys.modules
    np.savez(job["outputs"], outputs=outputs, seconds=np.array(seconds))
"""
_PROGRAMS = {
    "onnx": (_ONNX, ("numpy", "onnxruntime")),
    "litert": (_LITERT, ("numpy", "ai_edge_litert")),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """The answers of the SavedModel for real examples, to compare a file with.

    `inputs` is a `.npy` file of raw examples `[n, ...]`, `labels` are as in `Split`,
    and `outputs` float32 `[n, columns]`. `seconds` is the median of an example alone,
    and `p95_seconds` the 95th percentile.
    """

    inputs: Path
    split: str
    labels: np.ndarray
    outputs: np.ndarray
    measure: Measure
    seconds: float
    p95_seconds: float
    threads: int

    @property
    def quality(self) -> float:
        """The measured quality of the SavedModel on these examples."""
        return self.measure.quality(self.outputs, self.labels)


def prove(
    target: Target, file: Path, reference: Reference, *, max_accuracy_loss: float
) -> dict[str, Any]:
    """The record of a comparison, once the file has passed it.

    Raises:
        ArtifactError: if the file does not run without TensorFlow, answers with
            anything but such outputs, loses more than `max_accuracy_loss`, or differs
            by more than `LARGEST_DIFFERENCE` though the format keeps float32.
    """
    outputs, seconds = _run(target, file, reference)
    record = _compare(outputs, reference)
    _refuse_bad(target, record, reference.measure, max_accuracy_loss=max_accuracy_loss)
    content = file.read_bytes()
    return {
        "format": target.name,
        "file": file.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        **record,
        "max_accuracy_loss": max_accuracy_loss,
        "seconds_per_example": float(np.median(seconds)),
        "p95_seconds_per_example": float(np.quantile(seconds, 0.95)),
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
            "output": reference.measure.output,
            "outputs": str(outputs),
            "threads": reference.threads,
        }
        with FreshProcess(program, subject=subject, modules=modules) as process:
            process.run(job, most_quiet_seconds=_TIMEOUT_SECONDS)
        with np.load(outputs) as arrays:
            return arrays["outputs"], arrays["seconds"]


def _compare(outputs: np.ndarray, reference: Reference) -> dict[str, Any]:
    expected, measure = reference.outputs, reference.measure
    if outputs.shape != expected.shape or not np.isfinite(outputs).all():
        raise ArtifactError(
            f"The converted file answers with shape {outputs.shape}, and"
            f" {np.count_nonzero(~np.isfinite(outputs))} of its numbers are not"
            f" finite. Expected {measure.output} of shape {expected.shape}; nothing was"
            " published."
        )
    quality, metric = measure.quality(outputs, reference.labels), measure.metric
    return {
        "split": reference.split,
        "examples": len(expected),
        "metric": metric,
        metric: quality,
        f"saved_model_{metric}": reference.quality,
        f"{metric}_loss": reference.quality - quality,
        "agreement": float(measure.agree(outputs, expected).mean()),
        "largest_difference": measure.difference(outputs, expected),
    }


def _refuse_bad(
    target: Target,
    record: dict[str, Any],
    measure: Measure,
    *,
    max_accuracy_loss: float,
) -> None:
    metric = measure.metric
    loss, words = record[f"{metric}_loss"], metric.replace("_", " ")
    # Fractions of the same whole number: a difference by rounding is not a loss.
    if loss > max_accuracy_loss + 1e-9:
        raise ArtifactError(
            f"The format {target.name} loses {loss:.4f} of {words}"
            f" on {record['examples']} examples of the {record['split']} split:"
            f" {record[metric]:.4f} after {record[f'saved_model_{metric}']:.4f}, and"
            f" {max_accuracy_loss:g} is allowed. Nothing was published. Leave the"
            " format out, or say with --max-accuracy-loss what it may cost."
        )
    if target.keeps_float32 and record["largest_difference"] > LARGEST_DIFFERENCE:
        raise ArtifactError(
            f"The format {target.name} differs from the SavedModel by"
            f" {record['largest_difference']:.3g} in {measure.unit}, and"
            f" {LARGEST_DIFFERENCE:g} is allowed where no weight is rounded: it does"
            " not compute the same. Nothing was published; leave the format out."
        )
