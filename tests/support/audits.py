"""The findings of an audit of a folder."""

from __future__ import annotations

from pathlib import Path

from pipelines.audit.audit import audit
from pipelines.audit.findings import Finding
from pipelines.data.reference import DatasetRef


def findings(folder: Path) -> dict[str, Finding]:
    return {
        one.problem: one for one in audit(DatasetRef.parse(f"dir:{folder}")).findings
    }


def only(folder: Path) -> Finding:
    (one,) = findings(folder).values()
    return one
