"""The cost of a run: time by stage, speed, memory; and its artifact."""

from __future__ import annotations

from typing import Any

from pipelines.display.html import Table
from pipelines.report.plots.times import time_by_stage
from pipelines.report.run_files import RunFiles
from pipelines.report.sections.gate import gate_table

_PARITY = ("outputs_compared", "largest_difference", "tolerance")


def cost(run: RunFiles) -> dict[str, Any]:
    """Seconds by stage as a plot and a table, speed and memory."""
    report = run.report
    rows = [(stage, f"{value:.1f}") for stage, value in report["seconds"].items()]
    return {
        "plot": time_by_stage(report["seconds"]),
        "stages": Table("Seconds by stage", ("stage", "seconds"), rows),
        "images_per_second": report["images_per_second"],
        "peak_memory_bytes": report["peak_memory_bytes"],
    }


def artifact(run: RunFiles) -> dict[str, Any]:
    """The path of the artifact and its proof, and the verdict of the quality gate.

    Path and proof are None where the gate had nothing published.
    """
    parity = run.report["parity"]
    return {
        "path": run.report["artifact"],
        "parity": parity and {name: parity[name] for name in _PARITY},
        "gate": gate_table(run.report.get("gate")),
    }
