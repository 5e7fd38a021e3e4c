"""`zoo check`: inspects data, and lists, shows and repairs its faults.

Imports TensorFlow only where there is something new to inspect.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.console import Answer
from pipelines.config import CHOICES, RunConfig
from pipelines.display.audit_table import audit_table
from pipelines.errors import ConfigError, DataError
from pipelines.runtime.clock import Clock
from pipelines.runtime.startup import start_tensorflow

if TYPE_CHECKING:
    from pipelines.audit.audit import Audit
    from pipelines.audit.repair import Repair
    from pipelines.data.reference import DatasetRef

SUMMARY = "what in a data set could hurt, file by file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("data", metavar="REF")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write a page with thumbnails"
    )
    parser.add_argument(
        "--fix",
        type=Path,
        metavar="DIR",
        help="copy a folder into a new one, without what could hurt",
    )
    parser.add_argument(
        "--labels",
        action="store_true",
        help="find labels that are probably wrong (needs 'zootune[labels]')",
    )
    parser.add_argument(
        "--backbone", metavar="NAME", help="whose features --labels compares"
    )
    parser.add_argument(
        "--problem",
        choices=CHOICES["problem"],
        default=RunConfig().problem,
        help="kind of labels, as config.problem",
    )
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="read every file again, also unchanged files",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Inspects the data, and answers with the findings.

    The answer has a `DataError` if a run would refuse the data; with `--fix`, the copy.

    Raises:
        ConfigError: if a flag cannot be carried out.
    """
    from pipelines.data.reference import DatasetRef

    reference = DatasetRef.parse(arguments.data)
    if arguments.backbone and not arguments.labels:
        raise ConfigError("--backbone says what --labels compares; give both.")
    if arguments.fix and reference.scheme != "dir":
        raise ConfigError(f"--fix copies folders, and {reference} is not a 'dir:'.")
    before = _audit(reference, arguments)
    if arguments.fix and before.examples.labels.ndim > 1:
        raise ConfigError(
            f"--fix copies folders of classes, and --problem is {arguments.problem}."
            " Leave one of them out."
        )
    values, lines = before.to_dict(), [audit_table(before.to_dict())]
    if arguments.report:
        _write_page(before, arguments.report)
        lines.append(f"\nthe page is {arguments.report}")
    after = before
    if arguments.fix:
        after, repairs = _fix(before, reference, arguments)
        values["fixed"] = {
            "files": [dataclasses.asdict(repair) for repair in repairs],
            "check": after.to_dict(),
        }
        lines.append(_repair_table(repairs, after, arguments.fix))
    error = None
    if not after.is_fit_to_train:
        name = arguments.fix or reference
        error = DataError(f"{name} cannot be trained on as it is; see the errors.")
    return Answer(values, "\n".join(lines), error)


def _audit(reference: DatasetRef, arguments: argparse.Namespace) -> Audit:
    from pipelines.audit.audit import audit

    clock = Clock()
    result = audit(
        reference,
        problem=arguments.problem,
        use_cache=not arguments.no_cache,
        on_progress=clock.progress,
    )
    if not arguments.labels:
        return result
    start_tensorflow()
    from pipelines.audit.label_errors import label_findings

    more = label_findings(
        result.examples,
        bad=[i for i, image in enumerate(result.inspections) if image.bad],
        backbone=arguments.backbone,
        data=str(reference),
    )
    return result.with_findings(more)


def _write_page(result: Audit, path: Path) -> None:
    from pipelines.audit.page import page

    text = page(result)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error


def _fix(
    result: Audit, reference: DatasetRef, arguments: argparse.Namespace
) -> tuple[Audit, Sequence[Repair]]:
    """The audit of the repaired copy, and the action for each file."""
    from pipelines.audit.audit import audit
    from pipelines.audit.repair import repair

    if result.examples.inputs.modality == "sound":
        raise ConfigError(
            "--fix copies folders of images, and this one holds sounds. Convert or"
            " remove the files that the check names; ?on_bad=skip leaves them out."
        )
    done = repair(result, Path(reference.location), arguments.fix)
    copy = dataclasses.replace(reference, location=str(arguments.fix))
    return audit(copy), done


def _repair_table(done: Sequence[Repair], after: Audit, folder: Path) -> str:
    from pipelines.audit.repair import LIST, counts

    actions = ", ".join(f"{count} {action}" for action, count in counts(done).items())
    return f"\n{actions}; {folder / LIST} lists them. The copy:\n\n" + audit_table(
        after.to_dict()
    )
