"""Divides examples into three splits."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from pipelines.data.grouping import (
    connected_groups,
    group_ids,
    members_of,
)
from pipelines.data.names import listing
from pipelines.data.packed_strings import Strings
from pipelines.data.reference import DatasetRef
from pipelines.data.spelling import alike_note
from pipelines.data.split_names import SPLIT_NAMES
from pipelines.data.splits import (
    DataInfo,
    Examples,
    Split,
    Splits,
)
from pipelines.data.targets.choice import kind_of
from pipelines.data.weights import require_counting
from pipelines.display.text import PLURALS
from pipelines.errors import DataError

_SHOWN = 3
_PLURAL_NOUNS = {
    "class": "classes",
    "grade": "grades",
    "label": "labels",
    "target": "targets",
}


def keep_some(examples: Examples, *, limit: int | None, seed: int) -> Examples:
    """At most `limit` of the examples, drawn by seed, every class in proportion."""
    if limit is None or limit >= len(examples):
        return examples
    kind = kind_of(examples.problem)
    strata = kind.strata(examples.labels) * len(SPLIT_NAMES)
    splits = examples.split_codes()
    if splits is not None:
        strata = strata + splits
    shuffled = np.random.default_rng(seed).permutation(len(examples))
    # The r-th of the n examples of a stratum gets (r + 1/2) / n: cutting the order
    # anywhere leaves every stratum cut at the same fraction.
    position = np.empty(len(examples))
    for chosen in members_of(strata[shuffled], int(strata.max()) + 1):
        members = shuffled[chosen]
        position[members] = (np.arange(len(members)) + 0.5) / max(len(members), 1)
    order = shuffled[np.argsort(position[shuffled], kind="stable")]
    return examples.take(np.sort(order[:limit]))


def split_examples(
    examples: Examples, content_hashes: Sequence[str], ref: DatasetRef
) -> Splits:
    """Train, validation and test: stratified, seeded, no content or group in two.

    Splits of the data are used as they are; only a missing validation or test split is
    carved, from train. Examples keep their order within a split.

    Raises:
        DataError: if a class does not reach train or a carved split, or if the same
            content lies in two splits of the data.
    """
    content = Strings.of(content_hashes)
    codes = content.codes()
    _refuse_shared_content(examples, codes)
    groups = group_ids(examples, codes)
    split_of = _assign(examples, groups, ref)
    parts, fingerprints = {}, {}
    for i, name in enumerate(SPLIT_NAMES):
        members = np.flatnonzero(split_of == i)
        fingerprints[name] = _fingerprint(examples, content, codes, members)
        parts[name] = Split(
            name,
            examples.inputs.take(members),
            examples.labels[members],
            groups[members],
            _digest(content.take(members)),
            Strings.of(examples.names).take(members),
            None if examples.weights is None else examples.weights[members],
        )
    _require_weights(parts.values(), examples)
    info = DataInfo(
        class_names=examples.class_names,
        counts={name: _count(part, examples) for name, part in parts.items()},
        fingerprint=_fingerprint(examples, content, codes, np.arange(len(codes))),
        reference=str(ref),
        fingerprints=fingerprints,
        copies=len(examples) - int(codes.max() + 1),
        problem=examples.problem,
    )
    return Splits(**parts, info=info)


def without_shared(
    examples: Examples, content: Strings, ref: DatasetRef
) -> tuple[Examples, Strings]:
    """The examples without copies from other splits, if the reference drops those.

    Content of test leaves validation and train, and content of validation leaves train:
    the measured examples stay the same.
    """
    splits = examples.split_codes()
    if splits is None or ref.duplicates != "drop":
        return examples, content
    codes = content.codes()
    # Splits are numbered in the order of `SPLIT_NAMES`, the one that keeps it last.
    keeps = np.zeros(codes.max(initial=-1) + 1, np.int64)
    np.maximum.at(keeps, codes, splits)
    dropped = np.flatnonzero(splits < keeps[codes])
    if not len(dropped):
        return examples, content
    skipped = tuple(
        (examples.names[i], _why_dropped(splits[i], keeps[codes[i]]))
        for i in dropped.tolist()
    )
    rest = np.setdiff1d(np.arange(len(examples)), dropped)
    note = (
        f"{len(dropped)} examples were left out, as duplicates=drop says: test or"
        " validation has the same content."
    )
    kept = dataclasses.replace(
        examples.take(rest),
        skipped=(*examples.skipped, *skipped),
        notes=(*examples.notes, note),
    )
    return kept, content.take(rest)


def _why_dropped(where: int, kept: int) -> str:
    return f"in {SPLIT_NAMES[where]}, and the same in {SPLIT_NAMES[kept]}"


def require_independent(
    examples: Examples, groups: np.ndarray, *, limit: int | None
) -> None:
    """Checks that every class has a group for train and for each split to be carved.

    Raises:
        DataError: naming the classes, what they have and what to do.
    """
    members, carved = _carving(examples)
    need = 1 + len(carved)
    kind = kind_of(examples.problem)
    have = kind.count_independent(
        examples.labels[members], groups[members], examples.class_names
    )
    short = [(name, n) for name, n in have if n < need]
    if not short:
        return
    classes = listing(
        (f"{kind.noun} {name!r} has {_independent(n, examples)}" for name, n in short),
        shown=10,
    )
    plural = PLURALS[examples.inputs.modality]
    where = "train" if examples.splits is not None else "the data"
    others = "".join(f", {name}" for name in carved)
    raise DataError(
        f"Too few {plural} in {where}: {classes}. Each {kind.noun} needs at least"
        f" {need}, one"
        f" for each of train{others}; {plural} with the same content or the same group"
        f" count as one. Add {plural} to these {_PLURAL_NOUNS[kind.noun]}"
        + (f", raise limit={limit}" if limit is not None else "")
        + f" or leave these {_PLURAL_NOUNS[kind.noun]} out."
        + f" {alike_note(examples.class_names)}".rstrip()
    )


def fingerprint(examples: Examples, content_hashes: Sequence[str]) -> str:
    """The sha256 of the examples, whatever their place and order."""
    content = Strings.of(content_hashes)
    return _fingerprint(examples, content, content.codes(), np.arange(len(content)))


def fingerprint_of(
    contents: Sequence[str],
    class_names: Sequence[str],
    weights: np.ndarray | None = None,
) -> str:
    """The sha256 of examples with these content hashes and classes, one of each.

    Equal to `fingerprint` of the same examples.
    """
    counted = np.zeros(len(contents)) if weights is None else weights
    digest = hashlib.sha256()
    for content, name, weight in sorted(zip(contents, class_names, counted)):
        word = _weighted(name, None if weights is None else weight)
        digest.update(f"{content} {word}\n".encode())
    return digest.hexdigest()


def _weighted(word: str, weight: float | None) -> str:
    """The word of an example in a fingerprint, with its weight if it has any."""
    return word if weight is None else f"{word} x {weight:g}"


def _fingerprint(
    examples: Examples, content: Strings, codes: np.ndarray, members: np.ndarray
) -> str:
    """The fingerprint of some examples; `codes` are ranks of all contents, `[n]`."""
    kind = kind_of(examples.problem)
    rank, words = kind.in_words(examples.labels[members], examples.class_names)
    weights = np.zeros(len(members))
    if examples.weights is not None:
        weights = examples.weights[members]
        words = [_weighted(word, weight) for word, weight in zip(words, weights)]
    order = np.lexsort((weights, rank, codes[members]))
    digest = hashlib.sha256()
    for content_hash, i in zip(content.take(members[order]), order.tolist()):
        digest.update(f"{content_hash} {words[i]}\n".encode())
    return digest.hexdigest()


def _digest(content: Strings) -> str:
    digest = hashlib.sha256()
    for content_hash in content:
        digest.update(content_hash.encode())
    return digest.hexdigest()


def _assign(examples: Examples, groups: np.ndarray, ref: DatasetRef) -> np.ndarray:
    """The index into `SPLIT_NAMES` of every example, `[n]`."""
    require_independent(examples, groups, limit=ref.limit)
    members, carved = _carving(examples)
    kind = kind_of(examples.problem)
    dealt = kind.deal(
        examples.labels[members],
        np.unique(groups[members], return_inverse=True)[1],
        held_out=[getattr(ref, name) for name in carved],
        seed=ref.seed,
    )
    splits = examples.split_codes()
    split_of = np.zeros(len(examples), np.int64) if splits is None else splits
    indices = np.array([SPLIT_NAMES.index(name) for name in ("train", *carved)])
    split_of[members] = indices[dealt]
    _require_every_class(examples, split_of, carved)
    return split_of


def _carving(examples: Examples) -> tuple[np.ndarray, list[str]]:
    """The examples to carve from, as indices, and the names of the splits to carve."""
    splits = examples.split_codes()
    if splits is None:
        return np.arange(len(examples)), list(SPLIT_NAMES[1:])
    counts = np.bincount(splits, minlength=len(SPLIT_NAMES))
    carved = [name for name, n in zip(SPLIT_NAMES[1:], counts[1:]) if n == 0]
    return np.flatnonzero(splits == SPLIT_NAMES.index("train")), carved


def _require_every_class(
    examples: Examples, split_of: np.ndarray, carved: Sequence[str]
) -> None:
    """Refuses splits that groups of several classes make impossible."""
    plural = PLURALS[examples.inputs.modality]
    kind = kind_of(examples.problem)
    for name in ("train", *carved):
        labels = examples.labels[split_of == SPLIT_NAMES.index(name)]
        missing = kind.absent(labels, examples.class_names)
        if missing:
            raise DataError(
                f"{kind.noun.capitalize()} {missing[0]!r} does not reach {name}: "
                f"groups or equal content tie its {plural} to those of other classes. "
                "Use a finer group, another seed, or give the splits yourself."
            )


def _require_weights(parts: Iterable[Split], examples: Examples) -> None:
    """Refuses splits in which nothing counts, and classes that do not in train."""
    kind = kind_of(examples.problem)
    for part in parts:
        if part.weights is None:
            return
        require_counting(part.weights, split=part.name)
        if part.name != SPLIT_NAMES[0]:
            continue
        missing = kind.absent(part.labels[part.weights > 0], examples.class_names)
        if missing:
            raise DataError(
                f"All examples of {kind.noun} {missing[0]!r} in train have the weight"
                " 0, so that it cannot be learned. Give some a weight above 0, or leave"
                f" this {kind.noun} out."
            )


def _refuse_shared_content(examples: Examples, content: np.ndarray) -> None:
    splits = examples.split_codes()
    if splits is None:
        return
    codes = connected_groups(
        content
    )  # numbered by first appearance, which orders the list
    places = np.unique(codes * len(SPLIT_NAMES) + splits)
    several = np.flatnonzero(np.bincount(places // len(SPLIT_NAMES)) > 1)
    if not len(several):
        return
    texts = []
    for code in several[:_SHOWN]:
        members = np.flatnonzero(codes == code)
        _, first = np.unique(splits[members], return_index=True)
        texts.append(
            " = ".join(
                f"{SPLIT_NAMES[splits[i]]} {examples.names[i]!r}"
                for i in members[np.sort(first)]
            )
        )
    more = f" and {len(several) - _SHOWN} more" if len(several) > _SHOWN else ""
    raise DataError(
        f"The same content lies in two given splits, {len(several)} times: "
        f"{', '.join(texts)}{more}. Keep each in one split only; or add"
        " duplicates=drop to the reference, which leaves the copies out of train, and"
        " those of test out of validation too, and counts them."
    )


def _count(part: Split, examples: Examples) -> dict[str, int]:
    return kind_of(examples.problem).counts(part.labels, examples.class_names)


def _independent(count: int, examples: Examples) -> str:
    modality = examples.inputs.modality
    return f"{count} independent {modality if count == 1 else PLURALS[modality]}"
