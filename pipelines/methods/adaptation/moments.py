"""Adaptation in closed form: the moments of both domains are made alike."""

from __future__ import annotations

import numpy as np

from pipelines.methods.adaptation.domains import Domains, Settings
from pipelines.methods.adaptation.head import Adapted, unchanged
from pipelines.probing.probe import Probe, linear_probe, score

# Added to covariances of standardized features (https://arxiv.org/abs/1511.05547).
_RIDGE = 1.0


def standardise(domains: Domains, settings: Settings) -> Adapted:
    """The head of the source, on features standardized by the domain they are of."""
    return domains.adapted(unchanged(domains.probe).head)


def coral(domains: Domains, settings: Settings) -> Adapted:
    """A head for source features that were given the covariance of the target.

    Each domain is standardized by itself first.
    """
    reduce, (source, target) = domains.directions, domains.reduced
    recolour = coral_map(np.cov(source.T), np.cov(target.T))
    solved = _solved(source @ recolour, domains)
    kernel = solved.kernel / solved.standardization.scale[:, None]
    bias = solved.bias - solved.standardization.mean @ kernel
    return Adapted(
        domains.adapted(reduce.linear(domains.probe, kernel, bias)).head,
        reduce.linear(domains.probe, recolour @ kernel, bias),
    )


def coral_map(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`(C_s + I)^(-1/2) (C_t + I)^(1/2)` for covariances `[width, width]`."""
    return _power(source, -0.5) @ _power(target, 0.5)


def _power(covariance: np.ndarray, exponent: float) -> np.ndarray:
    covariance = np.atleast_2d(covariance)
    values, vectors = np.linalg.eigh(covariance + _RIDGE * np.eye(len(covariance)))
    return (vectors * values**exponent) @ vectors.T


def _solved(features: np.ndarray, domains: Domains) -> Probe:
    parts = [features.astype(np.float32)]
    scored = score(
        parts, domains.labels, groups=domains.groups, reads=("recoloured",), grid=1
    )
    return linear_probe(parts, domains.labels, scored)
