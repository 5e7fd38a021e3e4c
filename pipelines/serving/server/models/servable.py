"""One loaded version of a model: checked, loaded, warmed up, and run."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.errors import ArtifactError
from pipelines.runtime.reentrancy import is_reentrant
from pipelines.serving import artifact, naming
from pipelines.serving.graph_ops import import_ops
from pipelines.serving.loading import load_saved_model
from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.models import signature, version_folders, warm_up
from pipelines.serving.server.models.signature import Arrays, Signature
from pipelines.serving.server.scan import ops
from pipelines.serving.server.settings import Loading

_logger = logging.getLogger("zootune.serve")
_IS_PLACE = re.compile(r"Graph execution error|Detected at|<stack|\s|  File")
_OP = re.compile(r"\s*\[Op:\w+\]$")
_WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"


class Servable:
    """A version that answers. Make one with `load`."""

    def __init__(
        self,
        name: str,
        version: int,
        meta_graph: Any,
        model: Any,
        *,
        class_names: tuple[str, ...] = (),
        maximum_megapixels: float | None = None,
    ) -> None:
        self.name = name
        # Of one image; None where no manifest says so.
        self.maximum_megapixels = maximum_megapixels
        self.version = version
        # Of the outputs' probabilities, in order; empty without a manifest.
        self.class_names = class_names
        self.classes_digest = naming.digest(class_names) if class_names else ""
        self.signature_defs = dict(meta_graph.signature_def)
        self.signatures: dict[str, Signature] = {
            key: signature.of_proto(key, proto)
            for key, proto in self.signature_defs.items()
            if key in model.signatures
        }
        # Kept, because a signature alone does not keep its variables alive.
        self._model = model
        self._functions = {key: model.signatures[key] for key in self.signatures}
        self._turn = _turn(name, version, meta_graph)

    def run(self, name: str, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """The outputs of a signature. Takes the time that it takes: call in a thread.

        Raises:
            ServingError: with TensorFlow's code and reason.
        """
        specs = self.signatures[name].inputs
        try:
            tensors = {
                key: tf.constant(value, specs[key].dtype)
                for key, value in inputs.items()
            }
            with self._turn:
                outputs = self._functions[name](**tensors)
            return {key: value.numpy() for key, value in outputs.items()}
        except tf.errors.OpError as error:
            raise ServingError(_code(error.error_code), _reason(error)) from error
        except (ValueError, TypeError) as error:
            raise ServingError(Code.INVALID_ARGUMENT, str(error)) from error


def _turn(
    name: str, version: int, meta_graph: Any
) -> contextlib.AbstractContextManager:
    """A lock for one call at a time where TensorFlow needs it, or nothing."""
    if tf.config.list_physical_devices("GPU") or is_reentrant(meta_graph.graph_def):
        return contextlib.nullcontext()
    _logger.warning(
        "%s version %d: computes one batch at a time, because TensorFlow mixes up the"
        " residuals of calls at once where a convolution with a bias is followed by an"
        " addition",
        name,
        version,
    )
    return threading.Lock()


def _reason(error: tf.errors.OpError) -> str:
    """TensorFlow's message without the place in the graph."""
    lines = (error.message or type(error).__name__).splitlines()
    reasons = [line for line in lines if line and not _IS_PLACE.match(line)]
    return _OP.sub("", reasons[0] if reasons else lines[0])


def _code(number: int) -> Code:
    return Code(number) if number in list(Code) else Code.UNKNOWN


def share_cores(calls: int) -> None:
    """Has each of `calls` at once compute on its share of the cores.

    Two calls on a core each take less time than one after the other on two: where ops
    share cores, they wait for each other. To be called before TensorFlow starts.
    """
    cores = max(1, (os.cpu_count() or 1) // calls)
    tf.config.threading.set_intra_op_parallelism_threads(cores)


def load(name: str, folder: Path, loading: Loading) -> Servable:
    """The version in a folder, loaded after every check.

    Takes seconds: call in a thread.

    Raises:
        ArtifactError: if files differ from the manifest, are not plain files, or hold
            ops that reach outside; if it does not load; if a warm-up request fails.
    """
    version_folders.require_version(folder)
    artifact.refuse_odd_files(folder)
    manifest = _verify(folder, loading)
    meta_graph = ops.harmless_graph(folder, allowed=loading.allowed_ops)
    started = time.monotonic()
    try:
        model = load_saved_model(folder, tags=[ops.SERVE])
    except (tf.errors.OpError, OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"{folder} does not load: {error}") from error
    names = manifest.class_names if manifest else ()
    facts = manifest.preprocessing if manifest else {}
    servable = Servable(
        name,
        int(folder.name),
        meta_graph,
        model,
        class_names=names,
        maximum_megapixels=facts.get("maximum_megapixels"),
    )
    if not servable.signatures:
        raise ArtifactError(f"{folder} has no signature that could be asked.")
    _warm_up(servable, folder)
    seconds = time.monotonic() - started
    _logger.info("%s version %s: loaded in %.1f s", name, folder.name, seconds)
    return servable


def _verify(folder: Path, loading: Loading) -> artifact.Manifest | None:
    """Compares the files with their manifest, if there is one, and gives that."""
    if (folder / artifact.MANIFEST).exists():
        manifest = artifact.open_verified(folder).manifest
        for module in manifest.preprocessing.get("requires", ()):
            import_ops(module, folder)
        return manifest
    if loading.require_manifest:
        raise ArtifactError(
            f"{folder} has no {artifact.MANIFEST}, so nothing says what its files"
            " should be. Export it with zootune, or serve without --require-manifest."
        )
    _logger.warning("%s has no manifest: its files cannot be verified", folder)
    return None


def _warm_up(servable: Servable, folder: Path) -> None:
    """Runs the requests that the version brings, so that no client is the first."""
    path = folder / _WARM_UP_FILE
    if path.is_file():
        count = warm_up.run(servable.signatures, servable.run, path)
        _logger.info(
            "%s version %s: warmed up by %d", servable.name, folder.name, count
        )
