"""The choice of a detector of anomalies, by what each sees of injected ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

AUTO = "auto"
WINDOWS, AUTOENCODER, PATCHCORE = "windows", "autoencoder", "patchcore"
MATRIX_PROFILE = "matrix_profile"
# From the cheapest: in work for an answer, and in what the artifact keeps.
# No detector of series by step: injected anomalies lie at a few steps, which these see
# best, and on public data such a choice missed whole classes.
BY_COST = ("pca", "dfm", "nearest", "padim", "sum")
# The detector by modality where too few examples compare them: best on public data.
UNCOMPARED = {
    **dict.fromkeys(("image", "text"), "dfm"),
    **dict.fromkeys(("series", "sound"), "nearest"),
}
# Ways to take over a detector of another source, from the cheapest: inputs are
# normalized by the target; only the threshold is new; what is usual at a step is
# estimated again too; the last block of the encoder and the decoder train.
AS_IS, THRESHOLD, STATISTICS, FINE_TUNED = WAYS = (
    "as_is",
    "threshold",
    "statistics",
    "fine_tuned",
)
_TRANSFER = "transfer:"


def autoencoder_name(network: str, regularizer: str) -> str:
    """The name of a detector in a plan, such as `autoencoder:dense:denoising`."""
    return f"{AUTOENCODER}:{network}:{regularizer}"


def reads_series(method: str) -> bool:
    """True if a detector reads series themselves, and not only features of them."""
    return method in (WINDOWS, MATRIX_PROFILE) or method.startswith(f"{AUTOENCODER}:")


def can_move(method: str, modality: str) -> bool:
    """True if a detector can be taken over by data of another source.

    Of series an autoencoder can: the features of others are fitted to their data.
    """
    if modality == "series":
        return method.startswith(f"{AUTOENCODER}:")
    return modality == "image" and method in BY_COST


def ways_of(method: str) -> tuple[str, ...]:
    """The ways to take a detector over; one in closed form has nothing to train."""
    return WAYS if reads_series(method) else (AS_IS, THRESHOLD)


def transfer_name(way: str) -> str:
    """The name of a way among what is compared, such as `transfer:as_is`."""
    return f"{_TRANSFER}{way}"


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


def of_these_data(compared: Sequence[DetectorScore]) -> list[DetectorScore]:
    """The detectors among which `auto` chooses where nothing is transferred."""
    return [score for score in compared if score.method in BY_COST]


def best_way(compared: Sequence[DetectorScore]) -> str:
    """The best way to take a detector over, if it is worth it; empty if it is not.

    It has to be better than PCA, than the same detector fitted anew and than all others
    of the data alone, by more than one standard error of the best of these. All else
    is negative transfer.
    """
    moved = [score for score in compared if score.method.startswith(_TRANSFER)]
    others = [score for score in compared if score not in moved]
    if not (moved and others):
        return ""
    best = max(moved, key=lambda score: score.auroc)
    bar = max(others, key=lambda score: score.auroc)
    if best.auroc <= bar.auroc + bar.standard_error:
        return ""
    return best.method.removeprefix(_TRANSFER)


def in_words(compared: Sequence[DetectorScore]) -> str:
    """Sentences with the area under the curve of each, and what `auto` takes."""
    areas = ", ".join(f"{score.method} {score.auroc:.3f}" for score in compared)
    own = of_these_data(compared)
    error = max(own, key=lambda score: score.auroc).standard_error
    measured = (
        f"On held-out normal examples and the same with an injected anomaly the AUROC"
        f" is {areas} (standard error {error:.3f})"
    )
    if len(own) == len(compared):
        return (
            f"{measured}; the cheapest within one standard error of the best is taken."
        )
    return f"{measured}."


def transfer_in_words(source: str, compared: Sequence[DetectorScore]) -> str:
    """A sentence that says what becomes of the detector of a source, and why."""
    if not compared:
        return f"Nothing judges the detector of {source}, and it is not taken."
    if way := best_way(compared):
        return (
            f"The detector of {source} is taken, by {transfer_name(way)}: it is better"
            " than the best without it by more than one standard error."
        )
    own = of_these_data(compared)
    names = ", ".join(score.method for score in own)
    return (
        f"The detector of {source} is not taken, which would be negative transfer: in"
        " no way is it better than the best without it by more than one standard"
        f" error. As without it, the cheapest of {names} within one standard error of"
        f" the best of these is taken.{_hint(compared)}"
    )


def _hint(compared: Sequence[DetectorScore]) -> str:
    """A sentence on an autoencoder that is better than what is taken without it."""
    best = max(of_these_data(compared), key=lambda score: score.auroc)
    for score in compared:
        is_better = score.auroc > best.auroc + best.standard_error
        if is_better and score.method.startswith(f"{AUTOENCODER}:"):
            return (
                f" Trained anew, {score.method} sees more of these anomalies:"
                f" name config.anomaly.method={AUTOENCODER} where real ones are alike."
            )
    return ""
