"""The versions, the machine, the command and the whole config of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.display.html import Cell, Table
from pipelines.display.records import dotted
from pipelines.report.run_files import RunFiles


def settings(run: RunFiles) -> dict[str, Table]:
    """Three tables: versions, facts of machine and data, fields of the config."""
    environment = run.environment
    facts: list[tuple[Cell, ...]] = [
        ("data fingerprint", run.report["data"]["fingerprint"]),
        ("weights of the backbone", _weights(run.report["backbone"])),
        ("platform", environment["platform"]),
        ("processors", environment["processor_count"]),
        ("command", environment["command"]),
    ]
    return {
        "versions": Table(
            "Versions", ("package", "version"), list(environment["versions"].items())
        ),
        "facts": Table("Machine and command", ("fact", "value"), facts),
        "config": Table(
            "Fields of the config",
            ("field", "value"),
            [(name, str(value)) for name, value in dotted(run.config).items()],
        ),
    }


def _weights(backbone: Mapping[str, Any]) -> str:
    unpinned = ", from an address that was trusted: no hash of them is known"
    return f"{backbone['weights']}{unpinned if backbone.get('unpinned') else ''}"
