"""Proof that an exported SavedModel gives what the trained model gives.

The SavedModel runs in a fresh process that imports TensorFlow, the modules that its
manifest names, and nothing of ours: what it needs is in the folder, or it fails here
instead of in production.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import ArtifactError

# Folding constants changes the order of float32 sums; probabilities agree to 1e-5.
TOLERANCE = 1e-4
# A difference of these outputs counts this many times less: a distance divides features
# by how little they vary, and heat by its maximum; both enlarge their rounding.
_EASED = {"ood_score": 10.0, "heat_map": 10.0}
_TIMEOUT_SECONDS = 600

# Reads `inputs.npz` with an array for each `signature/batch size/input name`, strings
# as base64, and writes `outputs.npz` with one for each `.../output name`.
_PROGRAM = """
import base64
import importlib
import sys
import numpy as np
import tensorflow as tf

folder, inputs, outputs, *requires = sys.argv[1:]
for module in requires:
    importlib.import_module(module)
model = tf.saved_model.load(folder)
found = {}
with np.load(inputs) as arrays:
    for key in arrays.files:
        signature, size, name = key.split("/")
        given = arrays[key]
        if given.dtype.kind == "S":
            given = np.array([base64.b64decode(one) for one in given], object)
            given = tf.constant(given, tf.string)
        serve = model.signatures[signature]
        for output, value in serve(**{name: tf.constant(given)}).items():
            found[f"{signature}/{size}/{output}"] = value.numpy()
# Strings come back as objects, which npz could only hold pickled.
found = {k: v.astype("S") if v.dtype == object else v for k, v in found.items()}
np.savez(outputs, **found)
"""

Outputs = Mapping[str, np.ndarray]


def run_in_fresh_process(
    folder: Path,
    inputs: Mapping[str, np.ndarray],
    scratch: Path,
    *,
    requires: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """The outputs of a SavedModel; keys are `signature/batch size/name`.

    `requires` are the modules that bring ops of its graph.

    Raises:
        ArtifactError: if the SavedModel does not load or does not run.
    """
    given, found = scratch / "inputs.npz", scratch / "outputs.npz"
    # By another path: TensorFlow takes brackets in that of a model for a pattern.
    model = scratch / "linked_model"
    model.unlink(missing_ok=True)
    model.symlink_to(folder.absolute())
    np.savez(given, allow_pickle=False, **inputs)
    files = [str(path) for path in (model, given, found)]
    command = [sys.executable, "-c", _PROGRAM, *files, *requires]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
    )
    if ended.returncode != 0:
        raise ArtifactError(
            "The exported SavedModel does not run in a fresh process, so it was not"
            f" published. The end of what it said: {ended.stderr.strip()[-800:]}"
        )
    with np.load(found) as arrays:
        return dict(arrays)


def compare(expected: Outputs, found: Outputs) -> dict[str, Any]:
    """The record of parity: what was compared, and the largest difference.

    Raises:
        ArtifactError: if an output is missing or differs by more than `TOLERANCE`.
    """
    if set(expected) != set(found):
        missing = sorted(set(expected) ^ set(found))
        raise ArtifactError(f"The exported SavedModel lacks or adds {missing}.")
    differences = {
        key: _difference(key.rpartition("/")[2], expected[key], found[key])
        for key in expected
    }
    worst = max(differences, key=differences.__getitem__)
    if not differences[worst] <= TOLERANCE:
        raise ArtifactError(
            f"The exported SavedModel differs from the trained model: output {worst} by"
            f" {differences[worst]:.3g}, allowed {TOLERANCE:g}. It was not published."
        )
    return {
        "outputs_compared": len(expected),
        "batch_sizes": sorted({int(key.split("/")[1]) for key in expected}),
        "largest_difference": differences[worst],
        "tolerance": TOLERANCE,
    }


def _difference(name: str, expected: np.ndarray, found: np.ndarray) -> float:
    if expected.shape != found.shape:
        return float("inf")
    if not np.issubdtype(expected.dtype, np.floating):
        return 0.0 if np.array_equal(expected, found) else float("inf")
    if expected.size == 0:
        return 0.0
    # Relative above 1, absolute below: probabilities and features in one measure.
    scale = np.maximum(1.0, np.abs(expected))
    return float((np.abs(expected - found) / scale).max()) / _EASED.get(name, 1.0)


def batch_sizes(examples: int) -> Sequence[int]:
    """Batch sizes to compare at: an empty batch, a single one, a few, all."""
    return sorted({0, 1, min(3, examples), examples})
