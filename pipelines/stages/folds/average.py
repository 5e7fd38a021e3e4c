"""The average of linear heads as one linear head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.probing.probe import Probe, Standardization


def averaged(heads: Sequence[Probe], standardization: Standardization) -> Probe:
    """The head whose logits are the average of those of all heads, on any features.

    Each head is affine, and so is their average: it is exact up to rounding, and costs
    as much as one of them. It has the given standardization.
    """
    kernels, biases = [], []
    for head in heads:
        own = head.standardization
        kernel = head.kernel.astype(np.float64) / own.scale.astype(np.float64)[:, None]
        kernels.append(kernel)
        biases.append(head.bias - own.mean.astype(np.float64) @ kernel)
    kernel, bias = np.mean(kernels, axis=0), np.mean(biases, axis=0)
    mean, scale = (
        values.astype(np.float64)
        for values in (standardization.mean, standardization.scale)
    )
    return Probe(
        standardization,
        (kernel * scale[:, None]).astype(np.float32),
        (bias + mean @ kernel).astype(np.float32),
    )
