"""Predictions, classes and values of a version, for both interfaces."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.serving import naming
from pipelines.serving.server.models import examples, pixels
from pipelines.serving.server.models.manager import Loaded
from pipelines.serving.server.models.signature import Arrays, Signature, check_inputs


async def predict(
    version: Loaded, signature: Signature, inputs: Arrays, *, deadline: float
) -> Arrays:
    """The outputs for these inputs.

    Raises:
        ServingError: if the inputs are not the signature's or have too many pixels,
            or the model fails.
    """
    check_inputs(signature, inputs)
    maximum_megapixels = version.servable.maximum_megapixels
    if maximum_megapixels is not None:
        pixels.refuse_too_many(inputs, maximum_megapixels)
    return await version.batcher.submit(signature, inputs, deadline=deadline)


async def classify(
    version: Loaded, signature: Signature, serialized: list[bytes], *, deadline: float
) -> list[examples.Classes]:
    """Classes with scores for every serialized example."""
    examples.check_classify(signature)
    outputs = await predict(
        version, signature, examples.inputs(serialized), deadline=deadline
    )
    return examples.classes(outputs, len(serialized))


async def regress(
    version: Loaded, signature: Signature, serialized: list[bytes], *, deadline: float
) -> list[float]:
    """A value for every serialized example."""
    examples.check_regress(signature)
    outputs = await predict(
        version, signature, examples.inputs(serialized), deadline=deadline
    )
    return examples.values(outputs, len(serialized))


def signatures(version: Loaded) -> Mapping[str, Signature]:
    """The signatures of a version by name."""
    return version.servable.signatures


def version_headers(version: Loaded) -> dict[str, str]:
    """Headers of an answer: the version that gave it, and a digest of its classes."""
    headers = {naming.VERSION_HEADER: str(version.number)}
    if version.servable.classes_digest:
        headers[naming.CLASSES_HEADER] = version.servable.classes_digest
    return headers
