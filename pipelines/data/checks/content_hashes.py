"""Reads every example once before training: refuses bad ones and hashes the others."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from pipelines.data.blanks import HOW_TO_SKIP
from pipelines.data.checks.inspect_files import OnProgress, inspect_images
from pipelines.data.checks.inspection import Inspection
from pipelines.data.images.sixteen_bit import deep_note
from pipelines.data.names import listing
from pipelines.data.packed_strings import Packer, Strings
from pipelines.data.sounds.inspect_sound import (
    SILENT,
    SoundInspection,
)
from pipelines.data.sounds.reading import in_words, why_not_read
from pipelines.data.splits import (
    EncodedImages,
    ImageArray,
    ImageFiles,
    ImageRecords,
    Inputs,
    Series,
    Sounds,
    Table,
    Texts,
)
from pipelines.errors import DataError

_SHOWN = 10
_PLURALS = {ImageFiles: "image files", Sounds: "sound files"}
HOW_TO_GO_ON = (
    f"`zoo check --fix DIR` makes a copy of a folder without them. {HOW_TO_SKIP}"
)
_HOW_TO_TAKE_LARGER = (
    "\nLarger images are read with maximum_megapixels=N in the reference, as in"
    " dir:photos?maximum_megapixels=100; a served model takes them, too."
)


@dataclasses.dataclass(frozen=True, eq=False)
class ContentCheck:
    """The sha256 of each example, the reasons why some cannot be used, and notes.

    `bad` has a reason for each index of an example that cannot be used. `kinds` are
    those of the files of images that can, such as `JPEG`.
    """

    hashes: Strings
    bad: Mapping[int, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()


def how_to_go_on(inputs: Inputs) -> str:
    """The sentence on what to do about examples that cannot be used."""
    return HOW_TO_SKIP if isinstance(inputs, Sounds) else HOW_TO_GO_ON


def content_hashes(inputs: Inputs, *, on_progress: OnProgress | None = None) -> Strings:
    """The sha256 of each example; encoded images are also decoded, as in training.

    Files that `zoo check` or an earlier run has inspected, and that have not changed
    since, are not read again. `on_progress(done, total)` is called from this thread.

    Raises:
        DataError: naming up to ten bad files with reasons, and how many there are.
    """
    checked = check_content(inputs, on_progress=on_progress)
    if checked.bad:
        raise DataError(f"{refusal(inputs, checked.bad)}\n{how_to_go_on(inputs)}")
    return checked.hashes


def check_content(
    inputs: Inputs,
    *,
    use_cache: bool = True,
    on_progress: OnProgress | None = None,
) -> ContentCheck:
    """Hashes and checks examples; encoded images are decoded, as in training."""
    match inputs:
        case ImageFiles() | ImageRecords():
            inspections = inspect_images(
                inputs, use_cache=use_cache, on_progress=on_progress
            )
            return _check_images(inputs, inspections)
        case ImageArray():
            return ContentCheck(Strings.of(_hash_array(image) for image in inputs))
        case Sounds():
            return check_sounds(inputs)
        case Texts(texts):
            hashes_of_texts = (hashlib.sha256(text).hexdigest() for text in texts)
            return ContentCheck(Strings.of(hashes_of_texts))
        case Series(values):
            return ContentCheck(Strings.of(_hash_array(series) for series in values))
        case Table() as table:
            return ContentCheck(Strings.of(_row_hashes(table)))


def _check_images(
    images: EncodedImages, inspections: Iterable[Inspection]
) -> ContentCheck:
    hashes, bad, deepest, kinds = Packer(), {}, [], set()
    for i, inspection in enumerate(inspections):
        hashes.add(inspection.content)
        if inspection.bad:
            bad[i] = inspection.bad
        elif inspection.kind not in images.kinds:
            before = ", ".join(sorted(images.kinds)) or "none"
            bad[i] = f"a {inspection.kind}, where the kinds of files were {before}"
        else:
            kinds.add(inspection.kind)
            if inspection.deepest:
                deepest.append(inspection.deepest)
    note = deep_note(deepest, len(images))
    notes = (note,) if note else ()
    return ContentCheck(hashes.packed(), bad, notes, frozenset(kinds))


def _row_hashes(table: Table) -> Iterator[str]:
    """Hashes of what rows say, whatever the order of columns and of categories."""
    order = sorted(range(len(table.columns)), key=lambda i: table.columns[i].name)
    names = {
        i: ("", *(table.columns[i].categories or ()))
        for i in order
        if not table.columns[i].is_number
    }
    for row in table.values.tolist():
        cells = (
            f"{table.columns[i].name}\0"
            f"{names[i][int(row[i])] if i in names and row[i] == row[i] else row[i]}"
            for i in order
        )
        yield hashlib.sha256("\0\0".join(cells).encode()).hexdigest()


def check_sounds(sounds: Sounds) -> ContentCheck:
    """Hashes and checks sounds; those of silence are named in a note."""
    bad, silent = {}, []
    inspections = inspected_sounds(sounds)
    for i, inspection in enumerate(inspections):
        if inspection.bad:
            bad[i] = inspection.bad
        elif SILENT in inspection.odd:
            silent.append(sounds.where(i))
    notes = [in_words(sounds, inspections)]
    if silent:
        notes.append(
            f"{len(silent)} of {len(sounds)} sounds are silent, every sample the same:"
            f" {listing(silent, shown=_SHOWN)}."
        )
    hashes = Strings.of(sound_hash(content) for content in sounds.values)
    return ContentCheck(hashes, bad, tuple(note for note in notes if note))


def inspected_sounds(sounds: Sounds) -> list[SoundInspection]:
    """An inspection of every sound; one without bytes has the system's reason."""
    inspections: list[SoundInspection] = list(sounds.inspections)
    for i, content in enumerate(sounds.values):
        reason = "" if content else why_not_read(sounds.paths[i])
        if reason:
            inspections[i] = SoundInspection(reason)
    return inspections


def sound_hash(content: bytes) -> str:
    """The sha256 of the bytes of a file."""
    return hashlib.sha256(content).hexdigest()


def _hash_array(array: np.ndarray) -> str:
    # With the shape: the same bytes in another shape are another example.
    return hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()


def refusal(inputs: Inputs, bad: Mapping[int, str]) -> str:
    """A message that names up to ten files with their reasons."""
    if not isinstance(inputs, ImageFiles | ImageRecords | Sounds):
        raise ValueError(f"{inputs.modality} examples are not refused one by one.")
    shown = list(bad.items())[:_SHOWN]
    lines = "".join(f"\n  {inputs.where(i)}: {reason}" for i, reason in shown)
    more = f"\n  and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    plural = _PLURALS.get(type(inputs), "images")
    # The words of `inspect_files` and of the graph on an image that is too large.
    is_size = any("million pixels" in reason for reason in bad.values())
    return (
        f"{len(bad)} of {len(inputs)} {plural} cannot be used; repair or remove them:"
        f"{lines}{more}{_HOW_TO_TAKE_LARGER if is_size else ''}"
    )
