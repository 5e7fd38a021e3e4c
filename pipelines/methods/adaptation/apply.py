"""The methods of adaptation by name, and measurements of both domains."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import softmax

from pipelines.methods.adaptation.confusion import confusion
from pipelines.methods.adaptation.dann import dann
from pipelines.methods.adaptation.distance import a_distance
from pipelines.methods.adaptation.domains import Domains, Settings
from pipelines.methods.adaptation.head import Adapted
from pipelines.methods.adaptation.label_shift import label_shift
from pipelines.methods.adaptation.mcc import mcc
from pipelines.methods.adaptation.moments import coral, standardise
from pipelines.methods.adaptation.shot import shot
from pipelines.planning.adaptation.evidence import DomainEvidence

# Those on kept features; another one makes a pass over the target.
FUNCTIONS: Mapping[str, Callable[[Domains, Settings], Adapted]] = {
    "standardise": standardise,
    "coral": coral,
    "mcc": mcc,
    "shot": shot,
    "dann": dann,
    "confusion": confusion,
    "label_shift": label_shift,
}
# With fewer, training examples say how far the domains are.
_ENOUGH = 100


def adapt(method: str, domains: Domains, settings: Settings) -> Adapted:
    """The head of a method, by its name."""
    return FUNCTIONS[method](domains, settings)


def measured(domains: Domains, adapted: Adapted) -> DomainEvidence:
    """The distance of the domains as a head sees them, and its answers on both.

    The accuracy is of the head for the target on source validation as it is.
    """
    validation, target = domains.validation, domains.target
    here = adapted.head
    rows = validation if len(validation) >= _ENOUGH else domains.source
    apart = a_distance(
        adapted.for_source.below_logits([rows]), here.below_logits([target])
    )
    source_shares, source_confidence = _answers(adapted.for_source.logits([rows]))
    target_shares, target_confidence = _answers(here.logits([target]))
    right = None
    if len(validation):
        answered = here.logits([validation]).argmax(axis=1)
        right = float((answered == domains.validation_labels).mean())
    return DomainEvidence(
        apart,
        source_shares,
        target_shares,
        source_confidence,
        target_confidence,
        right,
    )


def _answers(logits: np.ndarray) -> tuple[tuple[float, ...], float]:
    """The shares of predicted classes, and the mean confidence."""
    p = softmax(logits.astype(np.float64), axis=1)
    shares = np.bincount(p.argmax(axis=1), minlength=p.shape[1]) / len(p)
    return tuple(shares.tolist()), float(p.max(axis=1).mean())
