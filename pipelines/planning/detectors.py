"""The choice of a detector of anomalies, by what each sees of injected ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

AUTO = "auto"
WINDOWS, AUTOENCODER = "windows", "autoencoder"
# From the cheapest: in work for an answer, and in what the artifact keeps.
# No detector of series by step: injected anomalies lie at a few steps, which these see
# best, and on public data such a choice missed whole classes.
BY_COST = ("pca", "dfm", "nearest", "padim", "sum")
# The detector by modality where too few examples compare them: best on public data.
UNCOMPARED = {
    **dict.fromkeys(("image", "text"), "dfm"),
    **dict.fromkeys(("series", "sound"), "nearest"),
}


def autoencoder_name(network: str, regularizer: str) -> str:
    """The name of a detector in a plan, such as `autoencoder:dense:denoising`."""
    return f"{AUTOENCODER}:{network}:{regularizer}"


def reads_series(method: str) -> bool:
    """True if a detector reads series themselves, and not only features of them."""
    return method == WINDOWS or method.startswith(f"{AUTOENCODER}:")


@dataclasses.dataclass(frozen=True)
class DetectorScore:
    """The area under the curve of a detector, on normal examples and changed ones."""

    method: str
    auroc: float
    standard_error: float


def cheapest_of_best(compared: Sequence[DetectorScore]) -> str:
    """The cheapest detector within one standard error of the best."""
    best = max(compared, key=lambda score: score.auroc)
    least = best.auroc - best.standard_error
    return next(score.method for score in compared if score.auroc >= least)


def in_words(compared: Sequence[DetectorScore]) -> str:
    """A sentence with the area under the curve of each."""
    areas = ", ".join(f"{score.method} {score.auroc:.3f}" for score in compared)
    error = max(compared, key=lambda score: score.auroc).standard_error
    return (
        f"On held-out normal examples and the same with an injected anomaly the AUROC"
        f" is {areas} (standard error {error:.3f}); the cheapest within one standard"
        " error of the best is taken."
    )
