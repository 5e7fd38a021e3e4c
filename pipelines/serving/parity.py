"""Proof that an exported SavedModel gives what the trained model gives.

The SavedModel runs in a fresh process that imports TensorFlow, the modules that its
manifest names, and nothing of ours: what it needs is in the folder, or it fails here
instead of in production.

Every output is compared on a scale of its own, and may differ as far as the trained
model differs from itself when nothing but rounding is different; how far that is comes
from the same run (`Yardstick.noise`). A fixed limit holds whatever was measured.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import ArtifactError
from pipelines.serving.fresh_process import FreshProcess, temporary_folder_is_full

# How long the fresh process may make no progress: neither a step nor computing.
_TIMEOUT_SECONDS = 600
_SUBJECT = "The exported SavedModel"
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

def load(job, tell):
    if job["folder"] not in loaded:
        sys.path.extend(job["places"])
        for module in job["requires"]:
            tell(f"importing {module}")
            importlib.import_module(module)
        tell("loading the SavedModel")
        loaded[job["folder"]] = tf.saved_model.load(job["folder"])
    return loaded[job["folder"]]

def prepare(job, tell):
    # The first call of a function compiles it, also where there is nothing to answer.
    for name, serve in load(job, tell).signatures.items():
        tell(f"compiling {name}")
        takes = serve.structured_input_signature[1]
        serve(**{
            key: tf.zeros([0, *spec.shape[1:]], spec.dtype)
            for key, spec in takes.items()
        })

def work(job, tell):
    model = load(job, tell)
    found = {}
    with np.load(job["inputs"]) as arrays:
        strings = read_strings(arrays)
        for number, key in enumerate(job["keys"], 1):
            signature, size, name = key.split("/")
            where = f"{number} of {len(job['keys'])}"
            tell(f"running {signature} on {size} examples ({where})")
            given = arrays[key]
            if key in job["of_strings"]:
                given = tf.constant([strings[i] for i in given], tf.string)
            serve = model.signatures[signature]
            for output, value in serve(**{name: tf.constant(given)}).items():
                found[f"{signature}/{size}/{output}"] = value.numpy()
    tell("writing what it found")
    # Strings come back as objects, which npz could only hold pickled; and a long label
    # that is there for every class of every example is written once.
    for key in [key for key, value in found.items() if value.dtype == object]:
        words, where = np.unique(found[key], return_inverse=True)
        found[key] = where.reshape(found[key].shape).astype(np.int32)
        found[f"{key}/words"] = words.astype("S")
    np.savez(job["outputs"], **found)
"""

# Which scale an output is measured on; others are compared relative to 1 or more.
_KINDS = {
    "probabilities": "probabilities",
    "confidence": "probabilities",
    "scores": "probabilities",
    "features": "features",
    "ood_score": "ood_score",
    "heat_map": "heat_map",
}
# By kind: a difference that is never too large, and one that always is. Other orders of
# float32 sums change less than the first in most networks.
_LIMITS = {
    "probabilities": (1e-5, 2e-3),
    "features": (1e-5, 2e-3),
    "ood_score": (1e-5, 2e-3),
    "heat_map": (1e-4, 2e-2),
    "other": (1e-5, 1e-3),
}
# Where networks compute in 16 bits, rounding alone may be a percent.
_COARSER = 20.0
# An export is one more way to round, and noise is the largest of a few.
_TIMES_NOISE = 10.0
# What a block adds to the feature vector counts at least as this much of the whole.
_LEAST_PART = 1e-3

Outputs = Mapping[str, np.ndarray]


class DifferentError(ArtifactError):
    """The SavedModel is not the trained model; `report` says by how much, as JSON."""

    def __init__(self, sentence: str, report: Mapping[str, Any]) -> None:
        super().__init__(sentence)
        self.report = report


@dataclasses.dataclass(frozen=True, eq=False)
class Wanted:
    """What an output must be, with a row for each example.

    `margins` say by kind how far what an element follows from is from where it would
    tip over, on the scale of that kind: within the bound, rounding decides.
    """

    values: np.ndarray
    margins: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def first(self, count: int) -> Wanted:
        return Wanted(
            self.values[:count], {k: v[:count] for k, v in self.margins.items()}
        )


@dataclasses.dataclass(frozen=True)
class Yardstick:
    """What differences of one model are measured by.

    `parts` are the widths of the parts of its feature vector and what is a usual norm
    of each; none is one part. A relative change of its features and logits changes its
    `ood_score` by up to `ood_unit` times as much. `noise` is, by kind, how far the
    model differs from itself; `is_coarse` says that it computes in 16 bits. `examples`
    are the names of the rows that a signature was asked about.
    """

    parts: tuple[tuple[int, float], ...] = ()
    ood_unit: float = 1.0
    noise: Mapping[str, float] = dataclasses.field(default_factory=dict)
    is_coarse: bool = False
    examples: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)

    def bound(self, kind: str) -> float:
        """The largest difference that is allowed."""
        least, most = _LIMITS[kind]
        most *= _COARSER if self.is_coarse else 1.0
        return min(most, max(least, _TIMES_NOISE * self.noise.get(kind, 0.0)))

    def differences(
        self, kind: str, wanted: np.ndarray, found: np.ndarray
    ) -> np.ndarray:
        """For every row or element, on the scale of the kind; NaN is infinite."""
        with np.errstate(invalid="ignore"):
            far = np.abs(wanted.astype(np.float64) - found.astype(np.float64))
            if kind == "features":
                far = self._by_parts(wanted, far)
            elif kind == "ood_score":
                far = far / self.ood_unit
            elif kind == "other":
                far = far / np.maximum(1.0, np.abs(wanted))
        return np.where(np.isnan(far), np.inf, far)

    def _by_parts(self, wanted: np.ndarray, far: np.ndarray) -> np.ndarray:
        """The norm of each part's difference beside that of the part, `[n, parts]`."""
        parts = self.parts or ((wanted.shape[1], 0.0),)
        whole = max((usual for _, usual in parts), default=0.0)
        ends = np.cumsum([width for width, _ in parts])
        columns = []
        for (width, usual), end in zip(parts, ends):
            mine = slice(end - width, end)
            own = np.linalg.norm(wanted[:, mine].astype(np.float64), axis=1)
            scale = np.maximum(own, max(usual, _LEAST_PART * whole))
            scale[scale == 0] = 1.0
            columns.append(np.linalg.norm(far[:, mine], axis=1) / scale)
        return np.stack(columns, axis=1)


@dataclasses.dataclass(frozen=True)
class Finding:
    """How one output compares, on its scale: `difference` is that of the worst example.

    `undecided` counts elements that may differ, because rounding decides them.
    """

    output: str
    kind: str
    difference: float
    noise: float
    bound: float
    example: str
    undecided: int = 0

    @property
    def agrees(self) -> bool:
        return self.difference <= self.bound

    @property
    def share(self) -> float:
        """Of what is allowed: up to 1."""
        if self.bound > 0:
            return self.difference / self.bound
        return 0.0 if self.difference == 0 else math.inf


def fresh_process() -> FreshProcess:
    """The process that SavedModels are proved in; it can be started early."""
    return FreshProcess(_PROGRAM, subject=_SUBJECT, modules=_MODULES)


def prepare(
    process: FreshProcess, folder: Path, scratch: Path, *, requires: Sequence[str] = ()
) -> None:
    """Has the process load the SavedModel, while what to ask is worked out."""
    process.prepare(_job_of(folder, scratch, requires), modules=requires)


def _job_of(folder: Path, scratch: Path, requires: Sequence[str]) -> dict[str, Any]:
    """What the process has to know to load a SavedModel."""
    # By another path: TensorFlow takes brackets in that of a model for a pattern.
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
    given, found = scratch / "inputs.npz", scratch / "outputs.npz"
    packed, of_strings = _packed(inputs)
    try:
        np.savez(given, allow_pickle=False, **packed)
    except OSError as error:
        needed = sum(one.nbytes for one in packed.values())
        raise temporary_folder_is_full(error, needed_bytes=needed) from error
    job = {
        **_job_of(folder, scratch, requires),
        "keys": list(inputs),
        "of_strings": of_strings,
        "inputs": str(given.absolute()),
        "outputs": str(found.absolute()),
    }
    with process or fresh_process() as running:
        running.run(job, modules=requires, most_quiet_seconds=_TIMEOUT_SECONDS)
    with np.load(found) as arrays:
        return _read(arrays)


def _packed(inputs: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], list[str]]:
    """What goes into a file, and the keys of strings (arrays of `bytes` objects).

    A string that is asked about in several ways is in it once: it may be a photograph.
    """
    places: dict[int, int] = {}
    strings: list[bytes] = []
    arrays: dict[str, np.ndarray] = {}
    of_strings = [key for key, value in inputs.items() if value.dtype == object]
    for key, value in inputs.items():
        if key in of_strings:
            for one in value:
                if places.setdefault(id(one), len(strings)) == len(strings):
                    strings.append(one)
            arrays[key] = np.array([places[id(one)] for one in value], np.int64)
        else:
            arrays[key] = value
    joined = np.frombuffer(b"".join(strings), np.uint8)
    lengths = np.array([len(one) for one in strings], np.int64)
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


def compare(
    wanted: Mapping[str, Wanted], found: Outputs, yardstick: Yardstick
) -> dict[str, Any]:
    """The record of parity: what was compared, and how far each output differs.

    Raises:
        DifferentError: if an output is missing or differs by more than is allowed.
    """
    if set(wanted) != set(found):
        missing = sorted(set(wanted) ^ set(found))
        raise DifferentError(
            f"{_SUBJECT} lacks or adds {missing}.", {"missing_or_added": missing}
        )
    findings = [
        _finding(key, one, np.asarray(found[key]), yardstick)
        for key, one in wanted.items()
    ]
    worst = max(findings, key=lambda one: one.share)
    if not all(one.agrees for one in findings):
        raise DifferentError(
            f"{_SUBJECT} differs from the trained model: output {worst.output}"
            f" {_how(worst)}. It was not published.",
            report_of(findings),
        )
    return {
        "outputs_compared": len(findings),
        "batch_sizes": sorted({int(one.output.split("/")[1]) for one in findings}),
        "largest_difference": worst.difference,
        "tolerance": worst.bound,
        "output": worst.output,
        "noise": {kind: float(one) for kind, one in sorted(yardstick.noise.items())},
        "outputs": _by_name(findings),
    }


def _how(worst: Finding) -> str:
    if not worst.example:
        return "has another type or shape"
    if worst.kind == "exact":
        return f"is another one for {worst.example}"
    return (
        f"by {worst.difference:.3g} for {worst.example}, and {worst.bound:.3g} is"
        f" allowed, as the trained model differs from itself by {worst.noise:.1g}"
    )


def report_of(findings: Sequence[Finding]) -> dict[str, Any]:
    """Every output, the one that is furthest off first; as JSON has it."""
    ordered = sorted(findings, key=lambda one: -one.share)
    return {
        "outputs": [
            {
                "output": one.output,
                "agrees": one.agrees,
                "measured": one.kind,
                "largest_difference": _finite(one.difference),
                "noise": one.noise,
                "bound": one.bound,
                "example": one.example,
                "undecided": one.undecided,
            }
            for one in ordered
        ]
    }


def _finite(value: float) -> float | str:
    """JSON has no word for what is infinite: other labels, shapes, or NaN."""
    return value if math.isfinite(value) else "not comparable"


def _by_name(findings: Sequence[Finding]) -> dict[str, Any]:
    """What is worst of each output, over batch sizes and signatures."""
    found: dict[str, Finding] = {}
    for one in sorted(findings, key=lambda one: one.share):
        found[one.output.rpartition("/")[2]] = one
    return {
        name: {
            "largest_difference": one.difference,
            "noise": one.noise,
            "bound": one.bound,
        }
        for name, one in sorted(found.items())
    }


def _finding(
    key: str, wanted: Wanted, found: np.ndarray, yardstick: Yardstick
) -> Finding:
    signature, _, name = key.split("/")
    values = wanted.values
    is_number = np.issubdtype(values.dtype, np.floating)
    kind = _KINDS.get(name, "other") if is_number else "exact"
    noise = float(yardstick.noise.get(kind, 0.0)) if is_number else 0.0
    bound = yardstick.bound(kind) if is_number else 0.0

    def finding(difference: float, example: str = "", undecided: int = 0) -> Finding:
        return Finding(key, kind, difference, noise, bound, example, undecided)

    if values.shape != found.shape or is_number != (found.dtype.kind == "f"):
        return finding(math.inf)
    if values.size == 0:
        return finding(0.0)
    if is_number:
        far = yardstick.differences(kind, values, found)
    else:
        far = np.where(values == found, 0.0, math.inf)
    decided = np.broadcast_to(_decided(wanted, far, yardstick), far.shape)
    counted = np.where(decided, far, 0.0).reshape(len(far), -1).max(axis=1)
    row = int(counted.argmax())
    names = yardstick.examples.get(signature, ())
    example = names[row] if row < len(names) else f"row {row}"
    return finding(float(counted[row]), example, int((~decided).sum()))


def _decided(wanted: Wanted, far: np.ndarray, yardstick: Yardstick) -> np.ndarray:
    """Bool, as broad as `far`: false where rounding decides what a value is."""
    decided = np.ones((len(far),) + (1,) * (far.ndim - 1), bool)
    for kind, margin in wanted.margins.items():
        shape = margin.shape + (1,) * (far.ndim - margin.ndim)
        decided = decided & (margin > yardstick.bound(kind)).reshape(shape)
    return decided


def batch_sizes(examples: int) -> Sequence[int]:
    """Batch sizes to compare at: an empty batch, a single one, a few, all."""
    return sorted({0, 1, min(3, examples), examples})
