"""The backbones that can be compared: their weights are on this machine."""

from __future__ import annotations

import dataclasses
import difflib

from pipelines.display.text import PLURALS
from zoo.errors import MissingWeightsError, UnknownBackboneError
from zoo.registry import get_spec, list_backbones
from zoo.weights import is_available

_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Candidates:
    """Names of backbones, by where their weights are.

    On this machine (`at_hand`), to be fetched first (`missing`), or nowhere
    (`unpublished`). What is fitted to the data needs none, and is at hand.
    """

    at_hand: tuple[str, ...]
    missing: tuple[str, ...]
    unpublished: tuple[str, ...]


def require_match(pattern: str) -> None:
    """Raises `UnknownBackboneError` unless a backbone matches, with the nearest."""
    known = list_backbones()
    if list_backbones(pattern):
        return
    near = difflib.get_close_matches(pattern.strip("*"), known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise UnknownBackboneError(
        f"No backbone matches '{pattern}'.{hint} `zoo list` shows all {len(known)}; a"
        " pattern such as 'efficientnet_lite*' chooses among them."
    )


def candidates(pattern: str, *, modality: str) -> Candidates:
    """The matching backbones for a modality, by where their weights are.

    Raises:
        UnknownBackboneError: if none matches.
        MissingWeightsError: if none of them has its weights here; says how to get them.
    """
    require_match(pattern)
    specs = [get_spec(n) for n in list_backbones(pattern, modality=modality)]
    if not specs:
        others = sorted(
            {PLURALS[get_spec(n).modality] for n in list_backbones(pattern)}
        )
        raise UnknownBackboneError(
            f"The backbones that match '{pattern}' take {' or '.join(others)}, and the"
            f" data hold {PLURALS[modality]}. `zoo list --modality {modality}` shows"
            " those for them."
        )
    published = [spec for spec in specs if spec.pretrained or spec.fitted]
    here = {
        spec.name for spec in published if spec.is_to_be_fitted or is_available(spec)
    }
    known = Candidates(
        at_hand=tuple(spec.name for spec in published if spec.name in here),
        missing=tuple(spec.name for spec in published if spec.name not in here),
        unpublished=tuple(spec.name for spec in specs if spec not in published),
    )
    if not known.at_hand:
        raise MissingWeightsError(_nothing_to_compare(pattern, known))
    return known


def _nothing_to_compare(pattern: str, known: Candidates) -> str:
    if not known.missing:
        return (
            f"Nobody publishes weights for what matches '{pattern}'"
            f" ({', '.join(known.unpublished[:_SHOWN])}), and random ones are not worth"
            " comparing. `zoo list --pretrained` shows backbones that have some; a run"
            " with config.backbone=NAME starts from random ones."
        )
    return (
        f"The weights of what matches '{pattern}' are not on this machine, and nothing"
        f" is downloaded unasked. Get them with: zoo fetch {listed(known.missing, ' ')}"
    )


def listed(names: tuple[str, ...], separator: str = ", ") -> str:
    """The first names, and the number of the others."""
    more = f"{separator}... ({len(names) - _SHOWN} more)" if names[_SHOWN:] else ""
    return separator.join(names[:_SHOWN]) + more
