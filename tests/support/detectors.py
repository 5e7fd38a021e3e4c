"""Published detectors of a few bytes: files that a transfer reads, without a run."""

import dataclasses

import numpy as np

from pipelines.features.pooling import Standardize
from pipelines.formats import detector_file
from pipelines.planning.plan import HeadPlan
from pipelines.probing.cells import MapDetector
from pipelines.probing.detector import fit_detector
from pipelines.problems.anomalies.autoencoder import (
    AutoencoderDetector,
    with_autoencoder,
)
from pipelines.problems.anomalies.map_layer import map_layer
from pipelines.problems.anomalies.reconstruction_layer import reconstruction_layer
from pipelines.problems.anomalies.score_layer import score_layer
from pipelines.serving import artifact
from tests.support.bare_artifacts import bare_artifact

READS = ("block",)


def autoencoder_of(series, method="autoencoder:dense:none"):
    """A detector that repeats series `[n, length, channels]`."""
    averages = series.mean(axis=1).astype(np.float32)
    return with_autoencoder(fit_detector([averages]).of_method(method), series)


def layers_of(detector):
    """The layers of a detector, and the shape of what it reads beside features."""
    known = detector.standardization
    standardize = Standardize(name="standardize")
    standardize.build((None, len(known.mean)))
    standardize.set_weights([known.mean, known.scale])
    if isinstance(detector, AutoencoderDetector):
        shape = (len(detector.usual), len(detector.mean))
        return standardize, reconstruction_layer(detector), shape
    if isinstance(detector, MapDetector):
        return standardize, map_layer(detector), (detector.cells.mean.size,)
    return standardize, score_layer(detector, detector.method), None


def publish(detector, folder, *, backbone="", reads=READS, problem="anomaly"):
    """Writes a version with a detector; gives its folder."""
    bare_artifact(folder)
    plan = HeadPlan(
        reads=reads,
        grid=1,
        standardized=True,
        pooling="average",
        recurrent_units=0,
        hidden_units=(),
        dropout=0.0,
        init="probe",
        detector=detector.method,
    )
    standardize, scores, beside = layers_of(detector)
    detector_file.write(
        standardize, scores, beside=beside, plan=plan, backbone=backbone, folder=folder
    )
    return republish(
        folder,
        calibration={"problem": problem},
        plan={"head": {"detector": detector.method}},
        preprocessing={"modality": "image"},
    )


def republish(folder, **fields):
    """Writes the manifest again, with other fields, for the files that are there."""
    manifest = artifact.read_manifest(folder)
    files = artifact.hash_files(folder)
    artifact.write_manifest(
        folder, dataclasses.replace(manifest, files=files, **fields)
    )
    return folder
