"""`zoo export`: the artifact of a finished run as a new version, in more formats."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.data.reference import DatasetRef
from pipelines.errors import ArtifactError, ConfigError, DataError
from pipelines.formats.targets import ASSETS, Target, parse, require_installed
from pipelines.serving import artifact, publication
from pipelines.serving.artifact import Artifact, Manifest

if TYPE_CHECKING:
    from pipelines.data.splits import Split, Splits
    from pipelines.formats.proof import Reference
    from pipelines.serving.predictor import Predictor

RECORD = "zoo_formats.json"
# Enough to see a loss of 0.01; their pixels fit on a disk.
_MOST_EXAMPLES = 1000
_REPRESENTATIVE_EXAMPLES = 200
_TIMED_EXAMPLES = 50
_BATCH_SIZE = 32

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True)
class Published:
    """A new version, and the record of the comparison for each file in it."""

    artifact: Artifact
    formats: tuple[Mapping[str, Any], ...]


def export_run(
    run: Path,
    base: Path,
    *,
    formats: str = "savedmodel",
    max_accuracy_loss: float = 0.01,
    data: str | None = None,
    gate: Callable[[], None] | None = None,
) -> Published:
    """The artifact of a finished run as the next version under `base`.

    A version always holds the SavedModel, unchanged. The files of other formats lie in
    its `assets.extra`, beside a record of how they compare with it on test examples.
    The version appears complete, by one rename, or not at all. `data` is where the
    data of the run are now, if they were moved. `gate` is called before anything is
    written, and raises if the model is not to be published.

    Raises:
        ConfigError: if the run is not finished, a format is unknown or not installed,
            or `base` holds another model.
        DataError: if the run was trained on other data.
        ArtifactError: if the artifact is not what the run published, or a format
            cannot be made or loses too much.
    """
    targets = parse(formats)
    if not 0 <= max_accuracy_loss <= 1:
        raise ConfigError(
            f"--max-accuracy-loss is {max_accuracy_loss:g}; it is a fraction of all"
            " examples, from 0 to 1."
        )
    if data and not (targets or gate):
        raise ConfigError(
            "--data is for formats that are compared on examples, and the SavedModel is"
            " published as it is. Leave --data out, or name formats with --format."
        )
    require_installed(targets)
    reference, source = finished(run)
    _refuse_other_model(base, source.manifest)
    if targets:
        _refuse_strings(source, targets)
    if gate:
        gate()
    with contextlib.ExitStack() as stack:
        try:
            base.mkdir(parents=True, exist_ok=True)
            publication.require_space(base, (1 + len(targets)) * _bytes_of(source.path))
            unpublished = stack.enter_context(publication.unpublished(base))
        except OSError as error:
            raise ConfigError(f"{base} cannot be written: {error}.") from error
        try:
            _copy(source, unpublished)
            records = _add(
                targets,
                source,
                unpublished,
                data or reference,
                max_accuracy_loss=max_accuracy_loss,
            )
            return Published(_publish(source.manifest, unpublished, base), records)
        except OSError as error:
            raise ArtifactError(
                f"The export to {base} failed and was taken back: {error}. The versions"
                f" that were there are untouched: {artifact.versions(base)}."
            ) from error


def _publish(manifest: Manifest, unpublished: Path, base: Path) -> Artifact:
    """The new version, with a manifest of all files in it."""
    files = artifact.hash_files(unpublished)
    manifest = dataclasses.replace(manifest, files=files)
    manifest = artifact.write_manifest(unpublished, manifest)
    return Artifact(publication.publish(unpublished, base), manifest)


def finished(run: Path) -> tuple[str, Artifact]:
    """The data reference of a finished run, and its artifact, verified."""
    try:
        report = json.loads((run / "report.json").read_text())
        config = json.loads((run / "config.json").read_text())
        if report["artifact"] is None:
            raise ArtifactError(
                f"{run} has no artifact to export: its model did not pass the quality"
                " gate (`gate` in its report.json). Train a better one."
            )
        # A run folder may have been moved; its versions went with it.
        newest = run / "artifact" / Path(report["artifact"]).name
        reference = config["data"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{run} is not the folder of a finished run: its report.json and"
            f" config.json cannot be read ({error!r}). Give the folder that"
            " config.workdir named, and finish the run if it was interrupted."
        ) from error
    return reference, artifact.open_verified(newest)


def _refuse_other_model(base: Path, manifest: Manifest) -> None:
    """A client of `base` must get answers about the same classes after the export."""
    known = artifact.versions(base)
    if not known:
        return
    newest = base / str(known[-1])
    try:
        theirs = artifact.read_manifest(newest)
    except ArtifactError as error:
        raise ConfigError(
            f"{newest} is not one of our artifacts, so {base} is not a place for the"
            f" next version: {error} Name another folder with --to."
        ) from error
    for subject, old, new in (
        ("classes", list(theirs.class_names), list(manifest.class_names)),
        ("inputs", _inputs(theirs), _inputs(manifest)),
    ):
        if old != new:
            raise ConfigError(
                f"{base} holds another model: the {subject} of version {known[-1]} are"
                f" {_short(old)}, and those of the run {_short(new)}. Its clients would"
                " be misled; name another folder with --to."
            )


def _inputs(manifest: Manifest) -> Any:
    return manifest.signatures["serving_default"]["inputs"]


def _short(values: Any) -> str:
    text = str(values)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _refuse_strings(source: Artifact, targets: Sequence[Target]) -> None:
    reads = {
        "text": "texts, and they become tokens",
        "sound": "sounds, whose files are decoded",
        "table": "rows of a table, and categories become numbers",
    }
    modality = source.manifest.preprocessing["modality"]
    if modality in reads:
        names = ", ".join(target.name for target in targets)
        raise ArtifactError(
            f"{source.path} takes {reads[modality]} inside its graph by"
            " tables and string operations that only TensorFlow has. It cannot be"
            f" exported to {names}; --format savedmodel can."
        )


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _copy(source: Artifact, folder: Path) -> None:
    """Copies an artifact and compares what arrived with its manifest."""
    shutil.copytree(source.path, folder, dirs_exist_ok=True)
    folder.chmod(0o755)
    if artifact.hash_files(folder) != dict(source.manifest.files):
        raise ArtifactError(
            f"The copy of {source.path} is not what was published, so it was removed."
            " Check the disk and export again."
        )


def _add(
    targets: Sequence[Target],
    source: Artifact,
    folder: Path,
    data: str,
    *,
    max_accuracy_loss: float,
) -> tuple[dict[str, Any], ...]:
    """Makes and proves a file for every target; gives their records."""
    if not targets:
        return ()
    from pipelines.formats.conversion import convert
    from pipelines.formats.proof import prove
    from pipelines.serving.predictor import Predictor

    # From the files that will be published, which have just been verified.
    predictor = Predictor(Artifact(folder, source.manifest))
    splits = splits_of(DatasetRef.parse(data), source.manifest)
    representative = representative_of(predictor, splits.train)
    records = []
    with tempfile.TemporaryDirectory() as scratch:
        reference = reference_of(predictor, splits.test, Path(scratch))
        for target in targets:
            _logger.info("%s: convert and compare", target.name)
            content = convert(target, predictor, representative)
            file = folder / ASSETS / target.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            records.append(
                prove(target, file, reference, max_accuracy_loss=max_accuracy_loss)
            )
    for target in {target.extra: target for target in targets}.values():
        mine = [r for t, r in zip(targets, records) if t.extra == target.extra]
        _write_record(folder / ASSETS / target.extra, target, mine, predictor)
    return tuple(records)


def splits_of(ref: DatasetRef, manifest: Manifest) -> Splits:
    """The splits of the data that an artifact was trained on.

    Raises:
        DataError: if the reference has other data.
    """
    from pipelines.data.load import check_and_split, read
    from pipelines.runtime.clock import Clock

    examples = read(ref, manifest.problem)
    splits = check_and_split(examples, ref, on_progress=Clock().progress)
    if splits.info.fingerprint != manifest.data["fingerprint"]:
        raise DataError(
            f"{ref} is not what the run was trained on: its fingerprint is"
            f" {splits.info.fingerprint[:12]}, and {manifest.data['fingerprint'][:12]}"
            " is in the manifest. A format is compared on the test examples of the run:"
            f" {_where(manifest)} with --data."
        )
    return splits


def _where(manifest: Manifest) -> str:
    if len(manifest.fingerprints) > 1:
        return (
            "classes were changed since it was trained, so name data with all classes"
            " as they are now,"
        )
    return "say where the data are"


def _inputs_of(split: Split, most: int, predictor: Predictor) -> Iterator[np.ndarray]:
    """Batches of at most `most` examples, from all over a split, as training fed them.

    Splits may be sorted by class; the first ones would be of one class.
    """
    from pipelines.data.checks.changed_files import broken_files_named
    from pipelines.data.input.batches import batches

    some = split.take(_spread(len(split), most))
    size = predictor.artifact.manifest.preprocessing.get("input_size_px")
    with broken_files_named(some):
        for inputs, _ in batches(some, input_size_px=size, batch_size=_BATCH_SIZE):
            yield inputs.numpy()


def representative_of(predictor: Predictor, train: Split) -> np.ndarray:
    """Examples of training, as training fed them, for a converter to choose by."""
    return np.concatenate(list(_inputs_of(train, _REPRESENTATIVE_EXAMPLES, predictor)))


def _spread(count: int, most: int) -> np.ndarray:
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def reference_of(predictor: Predictor, split: Split, scratch: Path) -> Reference:
    """The SavedModel's answers for examples of a split; inputs go to `scratch`."""
    from pipelines.formats.measures import measure_of
    from pipelines.formats.proof import Reference

    measure = measure_of(predictor.artifact.manifest, split.labels)
    rows = _spread(len(split), _MOST_EXAMPLES)
    spec = predictor.trained_on
    inputs = np.lib.format.open_memmap(
        scratch / "inputs.npy",
        mode="w+",
        dtype=spec.dtype.as_numpy_dtype,
        shape=(len(rows), *spec.shape[1:]),
    )
    outputs, done = [], 0
    for batch in _inputs_of(split, _MOST_EXAMPLES, predictor):
        inputs[done : done + len(batch)] = batch
        done += len(batch)
        outputs.append(predictor.outputs(batch)[measure.output])
    inputs.flush()
    median, p95 = _seconds_alone(predictor, inputs[:_TIMED_EXAMPLES])
    return Reference(
        inputs=scratch / "inputs.npy",
        split=split.name,
        labels=split.labels[rows],
        outputs=np.concatenate(outputs),
        measure=measure,
        seconds=median,
        p95_seconds=p95,
        threads=os.cpu_count() or 1,
    )


def _seconds_alone(predictor: Predictor, inputs: np.ndarray) -> tuple[float, float]:
    """The median of the seconds of an example alone, and their 95th percentile."""
    for _ in range(3):
        predictor.outputs(inputs[:1])
    seconds = []
    for i in range(len(inputs)):
        started = time.perf_counter()
        predictor.outputs(inputs[i : i + 1])
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds)), float(np.quantile(seconds, 0.95))


def _write_record(
    folder: Path,
    target: Target,
    records: Sequence[Mapping[str, Any]],
    predictor: Predictor,
) -> None:
    """Writes all that the files need where they go without the rest of the version."""
    from pipelines.formats.conversion import output_of
    from pipelines.runtime.environment import installed_versions

    manifest, spec = predictor.artifact.manifest, predictor.trained_on
    values = {
        "format": 1,
        "input": {
            "name": spec.name,
            "dtype": spec.dtype.name,
            "shape": list(spec.shape),
        },
        "problem": manifest.problem,
        "output": {
            "name": output_of(predictor),
            "shape": [None, len(manifest.class_names)],
        },
        "class_names": list(manifest.class_names),
        "preprocessing": dict(manifest.preprocessing),
        "thresholds": dict(manifest.thresholds),
        "data": dict(manifest.data),
        "versions": {
            **installed_versions(),
            **{name: version(name) for name in target.distributions},
        },
        "saved_model_sha256": manifest.files["saved_model.pb"],
        "files": {record["file"]: dict(record) for record in records},
    }
    text = json.dumps(values, indent=2, sort_keys=True)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")
