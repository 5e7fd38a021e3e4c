"""Findings about sound files: broken ones, silence, several rates, copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pipelines.audit.duplicates import same_findings
from pipelines.audit.findings import Finding, group_by_reason
from pipelines.data.checks.content_hashes import inspected_sounds, sound_hash
from pipelines.data.splits import Examples, Sounds


def sound_findings(examples: Examples, *, is_dropped: bool) -> Iterator[Finding]:
    """The findings of every file, each decoded as in training."""
    sounds = examples.inputs
    if not isinstance(sounds, Sounds):
        raise ValueError(f"{sounds.modality} examples are not sounds.")
    inspections = inspected_sounds(sounds)
    names = examples.names
    bad = ((each.bad, i) for i, each in enumerate(inspections) if each.bad)
    yield from group_by_reason("error", "cannot be trained on", bad, names=names)
    odd = ((reason, i) for i, each in enumerate(inspections) for reason in each.odd)
    yield from group_by_reason("warning", "", odd, names=names)
    good = [i for i, each in enumerate(inspections) if not each.bad]
    rates = Counter(inspections[i].rate_hz for i in good)
    if len(rates) > 1:
        counts = tuple(f"{rate} Hz: {count}" for rate, count in sorted(rates.items()))
        yield Finding(
            "note", f"several rates, all brought to {sounds.rate_hz} Hz", counts
        )
    hashes = [sound_hash(sounds.values[i]) for i in good]
    yield from same_findings(examples, hashes, members=good, is_dropped=is_dropped)
