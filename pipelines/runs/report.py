"""The files that describe a run: plan and data card first, the report at the end."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.data.data_card import as_markdown, card_of
from pipelines.errors import ArtifactError, ConfigError
from pipelines.planning import compute
from pipelines.report import depth_plot, run_files, run_page
from pipelines.report.plots.svg import can_draw
from pipelines.report.predictions import PredictionRow
from pipelines.runs import record, resume
from pipelines.runs.folder import ENVIRONMENT, RunFolder
from pipelines.runs.prepare import Prepared
from pipelines.runtime import environment
from pipelines.serving import artifact

_PLAN, _CARD = "plan.json", "data_card.json"

_logger = logging.getLogger("zootune")


def describe(folder: RunFolder, prepared: Prepared, *, seed: int) -> None:
    """Writes what is known before training: the plan and the data card."""
    planned = record.planned(prepared.plan, prepared.measured.evidence)
    folder.write(_PLAN, planned)
    folder.write(resume.COMPUTE, compute.to_dict(prepared.compute))
    if prepared.choice is not None:
        folder.write(resume.BACKBONE, record.chosen(prepared.choice))
    versions = environment.installed_versions()
    card = card_of(prepared.splits, seed=seed, versions=versions)
    folder.write(_CARD, card)
    folder.write_text("data_card.md", as_markdown(card))


def restore_lost(
    folder: RunFolder, prepared: Prepared, about: Mapping[str, Any], *, seed: int
) -> None:
    """Writes files again that broke or were lost since the run began, with a warning.

    Before training, because the end needs them: for the page, and to publish once only.
    """
    folder.restore_versions_before()
    if not folder.has(ENVIRONMENT, fields=about):
        folder.write(ENVIRONMENT, dict(about))
    planned = record.planned(prepared.plan, prepared.measured.evidence)
    computed = compute.to_dict(prepared.compute)
    choice = prepared.choice
    chosen = None if choice is None else record.chosen(choice)
    if not (
        folder.has(_PLAN, fields=planned)
        and (chosen is None or folder.has(resume.BACKBONE, fields=chosen))
        and folder.has(resume.COMPUTE, fields=computed)
        and folder.has(_CARD, fields=())
    ):
        describe(folder, prepared, seed=seed)


def plot_depths(
    folder: RunFolder, evidence: Mapping[str, Any] | None, *, title: str
) -> None:
    """Plots the accuracy by depth, if several blocks were measured.

    Without matplotlib a log line says how to get it.
    """
    if evidence is None or len(evidence["depths"]) < 2:
        return
    if not can_draw():
        _logger.info(depth_plot.HOW_TO_GET)
        return
    try:
        page = depth_plot.draw(evidence, title=title)
        folder.write_bytes(depth_plot.FILE_NAME, page)
    except (OSError, ValueError) as error:
        _logger.warning("No plot of the accuracy by depth: %s", error)


def finish(
    folder: RunFolder,
    report: Mapping[str, Any],
    rows: Iterable[PredictionRow],
    model_card: str,
    *,
    again: str = "it goes on from what was saved, and publishes nothing twice",
) -> None:
    """Writes the predictions, the model card, the report and its page.

    `again` says in an error what the same command does if it is repeated.

    Raises:
        ArtifactError: if the disk does not take them. The artifact is complete then.
    """
    try:
        folder.write_predictions(rows)
        folder.write_text(artifact.MODEL_CARD, model_card)
        folder.finish(dict(report))
    except OSError as error:
        raise ArtifactError(
            f"{_published(report)}, but the report of the run could not be"
            f" written: {error}. Fix this and run the same command again:"
            f" {again}."
        ) from error
    try:
        page = run_page.page(run_files.read(folder.path))
        folder.write_text(run_page.FILE_NAME, page)
    # A file of the run that something broke in the meantime is not the page's fault.
    except (OSError, ConfigError, *run_page.DO_NOT_FIT) as error:
        raise ArtifactError(
            f"The run is finished and {_published(report)}, but its page"
            f" could not be written: {error}. Fix this, and write it with: zoo report"
            f" {folder.path}"
        ) from error


def _published(report: Mapping[str, Any]) -> str:
    path = report["artifact"]
    return f"{path} is complete" if path else "its model is not published"
