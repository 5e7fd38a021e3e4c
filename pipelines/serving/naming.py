"""Names in the interface: signatures, and headers for the version of an answer.

A prediction, as TensorFlow Serving writes it, lacks the names of the classes. So every
answer names its version in its headers, and the metadata of that version has the
classes. The number of a version alone is not enough: a server that is started anew with
another model begins with version 1 again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

# Signatures of an artifact.
DEFAULT = "serving_default"
TABLE = "table"
FEATURES = "features"
CLASSIFY = "classify"
EXPLAIN = "explain"
REGRESS = "regress"
STREAM = "stream"
# Headers over HTTP, trailing metadata over gRPC.
VERSION_HEADER = "zootune-model-version"
CLASSES_HEADER = "zootune-classes-digest"
HEADERS = (VERSION_HEADER, CLASSES_HEADER)
# The names of the kinds of examples where the problem is to find anomalies.
ANOMALY_KINDS = ("normal", "anomaly")
# The outputs with how strange the places of an image are, and the steps of a series.
ANOMALY_MAP, ANOMALY_BY_STEP = "anomaly_map", "anomaly_by_step"
# Those of windows of a long series: how strange each one is, and its first step.
ANOMALY_BY_WINDOW, WINDOW_START = "anomaly_by_window", "window_start"
# In the metadata of a model, beside its signatures.
CLASS_NAMES = "class_names"


def digest(class_names: Sequence[str]) -> str:
    """A digest of class names and their order."""
    text = json.dumps(list(class_names))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
