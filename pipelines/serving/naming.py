"""How an answer says which version gave it, and what the classes of that are called.

The names of the classes are no part of a prediction, as TensorFlow Serving writes it.
So every answer says in its headers whose it is, and the metadata of that version has
the names. A version's number alone says too little: a server that is started anew with
another model begins with version 1 again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

# Headers over HTTP, trailing metadata over gRPC.
VERSION_HEADER = "zootune-model-version"
CLASSES_HEADER = "zootune-classes-digest"
HEADERS = (VERSION_HEADER, CLASSES_HEADER)
# In the metadata of a model, beside its signatures.
CLASS_NAMES = "class_names"


def digest(class_names: Sequence[str]) -> str:
    """The same for the same names in the same order, and for no others."""
    text = json.dumps(list(class_names))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
