"""Predictions, classes and values of a version, for both interfaces."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from pipelines.serving import naming
from pipelines.serving.server.models import examples, pixels
from pipelines.serving.server.models.manager import Loaded
from pipelines.serving.server.models.signature import Arrays, Signature, check_inputs

Answer = TypeVar("Answer")


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


@dataclasses.dataclass(frozen=True)
class Task(Generic[Answer]):
    """A question about serialized examples: who may be asked, and how to read it.

    `check` raises `ServingError` for a signature that does not answer it; `read` takes
    the outputs and the number of examples, and gives an answer for each.
    """

    check: Callable[[Signature], None]
    read: Callable[[Arrays, int], list[Answer]]


CLASSIFY: Task[examples.Classes] = Task(examples.check_classify, examples.classes)
REGRESS: Task[float] = Task(examples.check_regress, examples.values)


async def infer(
    version: Loaded,
    signature: Signature,
    serialized: list[bytes],
    task: Task[Answer],
    *,
    deadline: float,
) -> list[Answer]:
    """The answer to a task for every serialized example.

    Raises:
        ServingError: if the signature does not answer it, or the model fails.
    """
    task.check(signature)
    outputs = await predict(
        version, signature, examples.inputs(serialized), deadline=deadline
    )
    return task.read(outputs, len(serialized))


def signatures(version: Loaded) -> Mapping[str, Signature]:
    """The signatures of a version by name."""
    return version.servable.signatures


def version_headers(version: Loaded) -> dict[str, str]:
    """Headers of an answer: the version that gave it, and a digest of its classes."""
    headers = {naming.VERSION_HEADER: str(version.number)}
    if version.servable.classes_digest:
        headers[naming.CLASSES_HEADER] = version.servable.classes_digest
    return headers
