"""`zoo check`: everything about a data set that could hurt, file by file.

Reads every example once, as training will, and trains nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.audit import folder_layout
from pipelines.audit.duplicates import near_findings, same_findings
from pipelines.audit.findings import Finding, class_findings, group_by_reason
from pipelines.audit.folder_layout import FolderWalk, Found
from pipelines.audit.sounds import sound_findings
from pipelines.data.checks import content_hashes
from pipelines.data.checks.inspect_files import OnProgress, inspect_images
from pipelines.data.checks.inspection import Inspection
from pipelines.data.images.sixteen_bit import deep_note, is_dark
from pipelines.data.load import read
from pipelines.data.readers.folder_files import are_sounds
from pipelines.data.reference import MAXIMUM_MEGAPIXELS, DatasetRef
from pipelines.data.sounds.reading import read_sounds
from pipelines.data.spelling import index_classes
from pipelines.data.splits import Examples, ImageFiles, ImageRecords, Sounds
from pipelines.data.targets.choice import AUTO, check_other_labels, kind_of, of_folders
from pipelines.display.audit_table import audit_table
from pipelines.errors import DataError
from zoo.storage.home import expanded


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Audit:
    """The findings about a data set, worst first.

    `counts` is examples per class, label or target. There is one of `inspections` for
    each example that is a file; `folder` has the other files of a folder.
    """

    reference: str
    examples: Examples
    findings: tuple[Finding, ...]
    inspections: tuple[Inspection, ...] = ()
    folder: FolderWalk | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        """Examples per class, label or target."""
        return _counts(self.examples)

    @property
    def maximum_megapixels(self) -> float:
        """The size above which an image is refused."""
        inputs = self.examples.inputs
        if isinstance(inputs, ImageFiles | ImageRecords):
            return inputs.maximum_megapixels
        return MAXIMUM_MEGAPIXELS

    @property
    def is_fit_to_train(self) -> bool:
        """True if a run would accept the data."""
        return all(finding.severity != "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The audit as plain values, ready for JSON."""
        return {
            "reference": self.reference,
            "modality": self.examples.inputs.modality,
            "problem": self.examples.problem,
            "examples": len(self.examples),
            "counts": dict(self.counts),
            "findings": [
                {
                    "severity": finding.severity,
                    "what": finding.problem,
                    "about": list(finding.about),
                }
                for finding in self.findings
            ],
            "fit": self.is_fit_to_train,
        }

    def __repr__(self) -> str:
        return audit_table(self.to_dict())

    def with_findings(self, more: Sequence[Finding]) -> Audit:
        """The same audit with more findings, in their order of severity."""
        every = sorted([*self.findings, *more], key=lambda finding: finding.rank)
        return dataclasses.replace(self, findings=tuple(every))


def audit(
    ref: DatasetRef,
    *,
    problem: str = AUTO,
    use_cache: bool = True,
    on_progress: OnProgress | None = None,
) -> Audit:
    """Reads a data set and lists its problems as findings, not as errors.

    `problem` is the kind of labels, by default the one that is plain to see. Files that
    have not changed since they were last inspected are not read again,
    unless `use_cache` is false.

    Raises:
        DataError: if the reference names nothing that can be listed.
    """
    examples, folder, refusals = _listed(ref, problem)
    inspections: tuple[Inspection, ...] = ()
    if isinstance(examples.inputs, ImageFiles | ImageRecords):
        inspected = inspect_images(
            examples.inputs, use_cache=use_cache, on_progress=on_progress
        )
        inspections = tuple(inspected)
        findings = list(_of_files(examples, inspections, ref))
    elif isinstance(examples.inputs, Sounds):
        findings = list(sound_findings(examples, is_dropped=_drops(ref)))
    else:
        hashes = content_hashes.content_hashes(examples.inputs)
        findings = list(same_findings(examples, hashes, is_dropped=_drops(ref)))
    findings += [Finding("warning", note, (str(ref),)) for note in examples.notes]
    findings += group_by_reason(
        "warning",
        "left out",
        ((why, i) for i, (_, why) in enumerate(examples.skipped)),
        names=[name for name, _ in examples.skipped],
    )
    findings += _of_labels(examples, ref)
    bare = Audit(str(ref), examples, (), inspections, folder)
    return bare.with_findings([*refusals, *findings])


def _of_labels(examples: Examples, ref: DatasetRef) -> Iterator[Finding]:
    """Findings from labels alone."""
    try:
        check_other_labels(examples, ref)
    except DataError as error:
        yield Finding("error", str(error), (str(ref),))
        return
    yield from class_findings(_counts(examples), by_split=_counts_by_split(examples))


def _listed(
    ref: DatasetRef, problem: str
) -> tuple[Examples, FolderWalk | None, list[Finding]]:
    """The examples; of a folder also its other files, and why a run would refuse it."""
    if ref.scheme != "dir":
        return read(ref, problem), None, []
    root = expanded(ref.location).absolute()
    folder = folder_layout.walk(root, layout=ref.layout) if root.is_dir() else None
    try:
        examples = read(ref, of_folders(problem))
    except DataError as error:
        if folder is None or not folder.images:
            raise
        findings = list(folder.findings)
        if all(finding.severity != "error" for finding in findings):
            findings.append(Finding("error", str(error), (ref.location,)))
        return _examples(folder.images, root, ref), folder, findings
    return examples, folder, list(folder.findings) if folder else []


def _examples(images: Sequence[Found], root: Path, ref: DatasetRef) -> Examples:
    """The images or sounds of a folder that is refused as a whole."""
    names = [image.class_name for image in images]
    paths = tuple(str(image.path) for image in images)
    classes = index_classes(names, is_checked=False)
    return Examples(
        inputs=(
            read_sounds(paths)
            if are_sounds(paths)
            else ImageFiles(paths, ref.maximum_megapixels)
        ),
        names=tuple(image.path.relative_to(root).as_posix() for image in images),
        labels=classes.labels,
        class_names=classes.names,
        splits=tuple(image.split for image in images) if images[0].split else None,
    )


def _drops(ref: DatasetRef) -> bool:
    return ref.duplicates == "drop"


def _of_files(
    examples: Examples, inspections: Sequence[Inspection], ref: DatasetRef
) -> Iterator[Finding]:
    yield from group_by_reason(
        "error",
        "cannot be trained on",
        (
            (inspection.bad, i)
            for i, inspection in enumerate(inspections)
            if inspection.bad
        ),
        names=examples.names,
    )
    yield from group_by_reason(
        "note",
        "",
        (
            (odd, i)
            for i, inspection in enumerate(inspections)
            for odd in inspection.odd
        ),
        names=examples.names,
    )
    dark = [
        i for i, inspection in enumerate(inspections) if is_dark(inspection.deepest)
    ]
    if dark:
        yield Finding(
            "warning",
            deep_note((inspections[i].deepest for i in dark), len(inspections)),
            tuple(examples.names[i] for i in dark),
            members=tuple((i,) for i in dark),
        )
    good = [i for i, inspection in enumerate(inspections) if not inspection.bad]
    contents = [inspections[i].content for i in good]
    yield from same_findings(examples, contents, members=good, is_dropped=_drops(ref))
    yield from near_findings(examples, inspections, members=good)


def _counts(examples: Examples) -> dict[str, int]:
    kind = kind_of(examples.problem)
    return kind.counts(examples.labels, examples.class_names)


def _counts_by_split(examples: Examples) -> dict[str, dict[str, int]]:
    """Examples per class in each split that the user gave."""
    if examples.splits is None:
        return {}
    splits = np.array(examples.splits)
    return {
        split: _counts(examples.take(np.flatnonzero(splits == split)))
        for split in dict.fromkeys(examples.splits)
    }
