"""A comparison as tables, for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.comparison.compare import Against, Comparison
from pipelines.comparison.paired import HIGHER_IS_BETTER, Difference
from pipelines.display.html import Table, document
from pipelines.display.tables import aligned

_SIGNIFICANT = 0.05
_WORDS = {name: name.replace("_", " ") for name in HIGHER_IS_BETTER}
_METHOD = (
    "p: McNemar's exact test for accuracy, the paired bootstrap for the others; Holm:"
    " corrected for the number of runs that are compared with the first."
)


def as_text(comparison: Comparison) -> str:
    """The comparison for a terminal."""
    parts = ["\n".join([*comparison.notes]), *map(_aligned, _tables(comparison))]
    return "\n\n".join([*parts, *verdicts(comparison), _METHOD])


def as_page(comparison: Comparison) -> str:
    """The comparison as a page that needs no network."""
    return document(
        "comparison.html",
        title=f"{len(comparison.runs)} runs compared",
        notes=list(comparison.notes),
        verdicts=verdicts(comparison),
        tables=_tables(comparison),
        method=_METHOD,
    )


def verdicts(comparison: Comparison) -> list[str]:
    """A sentence on each run against the first."""
    first = comparison.runs[0].run
    return [_verdict(row, first) for row in comparison.against]


def _verdict(row: Against, first: str) -> str:
    sure = {
        name: away
        for name, away in row.differences.items()
        if away.p_holm < _SIGNIFICANT
    }
    if not sure:
        return (
            f"{row.run} against {first}: no difference that is more than chance"
            f" (p >= {_SIGNIFICANT:g} everywhere)."
        )
    words = ", ".join(
        f"{'better' if (away.difference > 0) == HIGHER_IS_BETTER[name] else 'worse'}"
        f" {_WORDS[name]} ({away.difference:+.4f})"
        for name, away in sure.items()
    )
    return f"{row.run} against {first}: {words}."


def _tables(comparison: Comparison) -> list[Table]:
    tables = [_runs(comparison)]
    tables += [_against(row, comparison.runs[0].run) for row in comparison.against]
    if comparison.config:
        tables.append(_settings(comparison))
    return tables


def _runs(comparison: Comparison) -> Table:
    rows = []
    for run in comparison.runs:
        low, high = run.accuracy_interval
        rows.append(
            (
                run.run,
                run.backbone or "-",
                run.action or "-",
                f"{run.accuracy:.4f}",
                f"{low:.4f} to {high:.4f}",
                f"{run.balanced_accuracy:.4f}",
                f"{run.log_loss:.4f}",
                f"{run.calibration_error:.4f}",
                "-" if run.seconds is None else f"{run.seconds:.1f}",
            )
        )
    header = ("run", "backbone", "plan", "accuracy", "95 %", *list(_WORDS.values())[1:])
    caption = f"On the {comparison.examples} shared test examples"
    return Table(caption, (*header, "seconds"), rows)


def _against(row: Against, first: str) -> Table:
    counts = row.discordant
    caption = (
        f"{row.run} minus {first}; right in only one of them: {counts.only_other} in"
        f" {row.run}, {counts.only_first} in {first}"
    )
    return Table(
        caption,
        ("measure", "difference", "95 %", "p", "Holm", "better"),
        [
            (_WORDS[name], *_difference(away, HIGHER_IS_BETTER[name]))
            for name, away in row.differences.items()
        ],
    )


def _difference(away: Difference, is_higher_better: bool) -> tuple[str, ...]:
    better = "-"
    if away.p_holm < _SIGNIFICANT:
        better = "yes" if (away.difference > 0) == is_higher_better else "no, worse"
    return (
        f"{away.difference:+.4f}",
        f"{away.low:+.4f} to {away.high:+.4f}",
        f"{away.p:.3g}",
        f"{away.p_holm:.3g}",
        better,
    )


def _settings(comparison: Comparison) -> Table:
    header = ("config field", *(run.run for run in comparison.runs))
    return Table("Settings that differ", header, _cells(comparison.config))


def _cells(config: Mapping[str, Sequence[Any]]) -> list[tuple[str, ...]]:
    return [(name, *map(str, values)) for name, values in config.items()]


def _aligned(table: Table) -> str:
    return f"{table.caption}\n{aligned([table.header, *table.rows])}"
