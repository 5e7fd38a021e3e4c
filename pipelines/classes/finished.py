"""A finished run as what its classes are changed from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.config import RunConfig
from pipelines.config.saved import read_config
from pipelines.errors import ConfigError
from pipelines.features import kept_features
from pipelines.features.kept_features import FILE_NAME
from pipelines.planning.plan import TransferPlan, from_dict
from pipelines.problems.registry import classes_can_change
from pipelines.stages.publish import read_report
from zoo.storage import durable


@dataclasses.dataclass(frozen=True, eq=False)
class FinishedRun:
    """The folder of a finished run, and what its files say."""

    path: Path
    config: RunConfig
    plan: TransferPlan
    report: Mapping[str, Any]
    views: int

    @property
    def features_path(self) -> Path:
        """The file of the features that the head was fitted to."""
        return self.path / "checkpoints" / FILE_NAME

    @property
    def next_features_path(self) -> Path:
        """The features of a change of classes until the report has it."""
        return self.features_path.with_name(f"next.{FILE_NAME}")

    def settle_features(self, class_names: Sequence[str]) -> None:
        """Ends a change of the kept features, which may have been cut short.

        The report decides: features of the classes that it names take the place of
        those before, and others are of a change that did not come about.
        """
        path = self.next_features_path
        if not path.is_file():
            return
        if list(kept_features.load(path).class_names) == list(class_names):
            path.replace(self.features_path)
            durable.sync(self.features_path)
        else:
            path.unlink()

    @property
    def modality(self) -> str:
        """What the trained backbone takes: `image`, `text`, `series` or `sound`."""
        backbone = self.report["backbone"]
        return str(backbone.get("modality") or _modality_before(backbone))

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Steps and channels of series; empty for what has any size."""
        backbone = self.report["backbone"]
        is_series = self.modality == "series"
        return (backbone["input_length"], backbone["channels"]) if is_series else ()

    @property
    def backbone_sha256(self) -> str:
        """The sha256 of the weights of the trained backbone."""
        return str(self.report["backbone"]["sha256"])


def _modality_before(backbone: Mapping[str, Any]) -> str:
    """The modality of a run of a version that did not write it, by other values."""
    if backbone["input_size_px"] is not None:
        return "image"
    if backbone.get("rate_hz") is not None:
        return "sound"
    return "text" if backbone["channels"] is None else "series"


def open_finished(workdir: Path) -> FinishedRun:
    """The run in a folder.

    Raises:
        ConfigError: if it is not finished, a file cannot be read, or its head cannot be
            fitted in closed form.
    """
    report = read_report(workdir)
    path = workdir / "plan.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        plan = from_dict(values)
        evidence = values["evidence"] or {}
        views = int(evidence.get("views", 1))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error!r}. It says what the head of the run reads;"
            " train again, with the classes that you want."
        ) from error
    if report.get("artifact", workdir) is None:
        raise ConfigError(
            f"{workdir} has no artifact: its model did not pass the quality gate"
            " (`gate` in its report.json), so a class cannot be added to it. Train a"
            " better one."
        )
    kind = report.get("problem", "single_label")
    if not classes_can_change(kind):
        raise ConfigError(
            f"{workdir} has a problem of the kind {kind}, and classes are changed where"
            " each example has one class (single_label). Train again with the labels"
            " that you want."
        )
    if report["backbone"].get("columns"):
        raise ConfigError(
            f"{workdir} was trained on a table, whose categories are numbered as its"
            " training data had them, so that rows of another table do not fit. Train"
            " again with the classes that you want: a table takes seconds."
        )
    if not plan.head.is_linear:
        raise ConfigError(
            f"The head of {workdir} has trained layers of its own (new blocks, as of a"
            " cut, hidden units, or pooling with weights), and only a linear head is"
            " fitted in closed form. Train again with the classes that you want, or"
            " once with config.strategy='head_only', without head.conv_blocks,"
            " head.hidden_units and head.pooling."
        )
    if (report.get("test_views") or {}).get("views", "none") != "none":
        raise ConfigError(
            f"The artifact of {workdir} averages several views of each image, and a"
            " changed class is fitted to one. Train again with the classes that you"
            " want, or once without config.test_views."
        )
    config = read_config(workdir / "config.json")
    return FinishedRun(workdir, config, plan, report, views)
