"""The files of meta-training: an update rule that it learned, and where it stands."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import ConfigError
from pipelines.features import described_arrays
from pipelines.methods.meta.update_rule import UpdateRule

_FORMAT = 1
OPTIMIZER = "optimizer"
_RULE, _PROGRESS = "rule", "progress"


@dataclasses.dataclass(frozen=True, eq=False)
class Progress:
    """Where meta-training stands: rounds done, what it trains, and the optimizer of it.

    `settings` are those it was started with: a resumed one must have the same.
    """

    settings: Mapping[str, Any]
    rounds: int
    weights: tuple[np.ndarray, ...]
    moments: tuple[np.ndarray, ...]
    losses: tuple[float, ...]


def save_rule(path: Path, rule: UpdateRule) -> None:
    """Writes the file of a learned optimizer; it is whole or not there."""
    _save(path, _RULE, {}, {"weights": rule.weights}, method=OPTIMIZER)


def load_rule(path: Path) -> UpdateRule:
    """The rule that `save_rule` wrote.

    Raises:
        ConfigError: if the file is another one, or damaged.
    """
    _, arrays = _load(path, _RULE, method=OPTIMIZER)
    return UpdateRule(arrays["weights"])


def save_progress(path: Path, progress: Progress, *, method: str) -> None:
    """Writes where a method of meta-training stands; the file is whole or as it was."""
    about = {
        "settings": progress.settings,
        "rounds": progress.rounds,
        "losses": progress.losses,
    }
    arrays = {"weights": progress.weights, "moments": progress.moments}
    _save(path, _PROGRESS, about, arrays, method=method)


def load_progress(path: Path, settings: Mapping[str, Any], *, method: str) -> Progress:
    """Where meta-training with these settings stood.

    Raises:
        ConfigError: if the file is another one or damaged, or settings differ.
    """
    about, arrays = _load(path, _PROGRESS, method=method)
    before = about["settings"]
    changed = [
        f"{name} was {before.get(name)!r} and is {settings.get(name)!r}"
        for name in sorted({*before, *settings})
        if before.get(name) != settings.get(name)
    ]
    if changed:
        raise ConfigError(
            f"{path} is of other meta-training: {'; '.join(changed)}. Repeat the"
            " command it was started with, or name another --workdir."
        )
    return Progress(
        before,
        about["rounds"],
        arrays["weights"],
        arrays["moments"],
        tuple(about["losses"]),
    )


def _save(
    path: Path,
    kind: str,
    about: Mapping[str, Any],
    arrays: Mapping[str, Sequence[np.ndarray]],
    *,
    method: str,
) -> None:
    described_arrays.save(
        path,
        {**about, "format": _FORMAT, "method": method, "kind": kind},
        {
            f"{name}_{i}": part
            for name, of in arrays.items()
            for i, part in enumerate(of)
        },
    )


def _load(
    path: Path, kind: str, *, method: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    expected = {"format": _FORMAT, "method": method, "kind": kind}
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            found = {name: about.get(name) for name in expected}
            if found != expected:
                raise ValueError(f"it says {found}, and {expected} is needed")
            arrays: dict[str, list[np.ndarray]] = {"weights": [], "moments": []}
            for name in file.files:
                if name != "about":
                    arrays[name.split("_")[0]].append(file[name])
    except (
        *(OSError, ValueError, KeyError, TypeError, AttributeError),
        *(EOFError, zipfile.BadZipFile),
    ) as error:
        raise ConfigError(
            f"{path} cannot be read as the {kind} of `zoo meta --method {method}`:"
            f" {error}. Name the file that it wrote, or run it again in a new"
            " --workdir."
        ) from error
    return about, {name: tuple(parts) for name, parts in arrays.items()}
