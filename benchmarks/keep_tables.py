"""The rules of `benchmarks.keep_rules`, and the tables of what each of them keeps.

Rules, each with what it keeps on validation:

* `never`: the probe; `always`: what was trained.
* `accuracy`: the blend that is right most often, if its gain in accuracy is more than
  its standard error.
* `log loss`: the blend of least log loss, if its paired gain is more than its standard
  error; `log loss 2`: more than two of them.
* `both`: the blend of least log loss, if that passes and accuracy does not fall.
* `quarter`: a quarter of the change, if its paired gain in log loss is more than its
  standard error; `guard`: as `accuracy`, or else as `quarter`.
* `prior`: the blend of the largest posterior, where the probe has half of the prior.
* `average`: the mean of the logits of the probe and of what was trained, always;
  `average if`: if its paired gain in log loss is more than its standard error.

A second table compares strategies on the same draws: `head_only` is the probe;
`partial`, `full` and `cut` keep what was trained, whole, if the rule `accuracy` says
so; `auto` is the kind that its plan chooses, kept by the rule `guard`.

A rule is admitted if no kind and number of images is worse than the probe on test with
p < .05 (paired t-test over draws); of those the one with the least mean error is best.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.special import log_softmax

BLENDS = (0.0, 0.25, 0.5, 0.75, 1.0)
# The strategy of each kind.
KINDS: Mapping[str, str] = {"half": "partial", "all": "full", "cut": "cut"}


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """Logits `[blends, n, classes]` and labels `[n]` of one split."""

    logits: np.ndarray
    labels: np.ndarray

    def log_p(self, logits: np.ndarray) -> np.ndarray:
        """The log probability of each label, `[n]`."""
        logs = log_softmax(logits.astype(np.float64), axis=-1)
        return logs[np.arange(len(self.labels)), self.labels]

    def right(self, logits: np.ndarray) -> np.ndarray:
        """1 for each example that is answered right, `[n]`."""
        return (logits.argmax(axis=-1) == self.labels).astype(np.float64)


# A rule gives the logits on test, of what it keeps by validation.
Rule = Callable[[Answers, Answers], np.ndarray]


def never(validation: Answers, test: Answers) -> np.ndarray:
    """The probe."""
    return test.logits[0]


def always(validation: Answers, test: Answers) -> np.ndarray:
    """What was trained."""
    return test.logits[-1]


def by_accuracy(validation: Answers, test: Answers) -> np.ndarray:
    """The most accurate blend, if it gains more than a standard error."""
    return test.logits[_accurate_blend(validation)]


def _accurate_blend(validation: Answers) -> int:
    right = [validation.right(logits) for logits in validation.logits]
    loss = [-validation.log_p(logits).mean() for logits in validation.logits]
    best = max(range(1, len(BLENDS)), key=lambda i: (right[i].mean(), -loss[i]))
    return best if _passes(right[best] - right[0], one_more=1) else 0


def whole_or_nothing(validation: Answers, test: Answers) -> np.ndarray:
    """What was trained, if it is right more often by more than a standard error."""
    first, last = (validation.right(validation.logits[i]) for i in (0, -1))
    return test.logits[-1 if _passes(last - first, one_more=1) else 0]


def by_log_loss(errors: float) -> Rule:
    """The blend of least log loss, if it gains more than some standard errors."""

    def rule(validation: Answers, test: Answers) -> np.ndarray:
        gain = [validation.log_p(logits) for logits in validation.logits]
        best = max(range(1, len(BLENDS)), key=lambda i: gain[i].mean())
        passes = _passes(gain[best] - gain[0], errors=errors)
        return test.logits[best if passes else 0]

    return rule


def by_both(validation: Answers, test: Answers) -> np.ndarray:
    """As by log loss, where accuracy does not fall."""
    gain = [validation.log_p(logits) for logits in validation.logits]
    right = [validation.right(logits).mean() for logits in validation.logits]
    allowed = [i for i in range(1, len(BLENDS)) if right[i] >= right[0]]
    if not allowed:
        return test.logits[0]
    best = max(allowed, key=lambda i: gain[i].mean())
    return test.logits[best if _passes(gain[best] - gain[0]) else 0]


def by_quarter(validation: Answers, test: Answers) -> np.ndarray:
    """A quarter of the change, if that gains in log loss."""
    before, after = (validation.log_p(validation.logits[i]) for i in (0, 1))
    return test.logits[1 if _passes(after - before) else 0]


def by_guard(validation: Answers, test: Answers) -> np.ndarray:
    """As by accuracy, or else a quarter of the change."""
    blend = _accurate_blend(validation)
    return test.logits[blend] if blend else by_quarter(validation, test)


def by_prior(validation: Answers, test: Answers) -> np.ndarray:
    """The blend of the largest posterior; the probe has half of the prior."""
    likelihood = [validation.log_p(logits).sum() for logits in validation.logits]
    prior = np.log([0.5, *[0.5 / (len(BLENDS) - 1)] * (len(BLENDS) - 1)])
    return test.logits[int(np.argmax(np.array(likelihood) + prior))]


def average(validation: Answers, test: Answers) -> np.ndarray:
    """The mean of the logits of both ends."""
    return (test.logits[0] + test.logits[-1]) / 2


def average_if(validation: Answers, test: Answers) -> np.ndarray:
    """The mean of the logits, if it gains in log loss."""
    mean = (validation.logits[0] + validation.logits[-1]) / 2
    gain = validation.log_p(mean) - validation.log_p(validation.logits[0])
    return average(validation, test) if _passes(gain) else test.logits[0]


def _passes(gain: np.ndarray, *, errors: float = 1.0, one_more: float = 0.0) -> bool:
    """True if a mean gain is more than its standard error.

    Gains in accuracy count one change more than was seen, as the guard does.
    """
    if one_more:
        error = np.sqrt(np.square(gain).sum() + one_more) / len(gain)
    else:
        error = gain.std(ddof=1) / np.sqrt(len(gain))
    return bool(gain.mean() > errors * error)


RULES: Mapping[str, Rule] = {
    "never": never,
    "always": always,
    "accuracy": by_accuracy,
    "log loss": by_log_loss(1.0),
    "log loss 2": by_log_loss(2.0),
    "both": by_both,
    "quarter": by_quarter,
    "guard": by_guard,
    "prior": by_prior,
    "average": average,
    "average if": average_if,
}


def print_table(folder: Path) -> None:
    """Mean errors of each rule by kind and images per class, and the best rule."""
    errors = _errors_by_rule(folder)
    print(f"| kind | images per class | draws | {' | '.join(RULES)} |")
    print(f"| --- | --- | --- {'| --- ' * len(RULES)}|")
    worse: dict[str, list[str]] = {name: [] for name in RULES}
    for (shots, kind), table in sorted(errors.items()):
        means = " | ".join(f"{mean:.4f}" for mean in table.mean(axis=0))
        print(f"| {kind} | {shots} | {len(table)} | {means} |")
        for name, column in zip(RULES, table.T):
            if _is_worse(column - table[:, 0]):
                worse[name].append(f"{kind} at {shots}")
    whole = np.concatenate(list(errors.values()))
    means = " | ".join(f"{mean:.4f}" for mean in whole.mean(axis=0))
    print(f"| all | | {len(whole)} | {means} |")
    for name, column in zip(RULES, whole.T):
        if _is_worse(column - whole[:, 0]):
            worse[name].append("all")
    for name, cells in worse.items():
        if cells:
            print(f"{name}: worse than the probe with p < .05: {', '.join(cells)}")
    admitted = [i for i, name in enumerate(RULES) if not worse[name]]
    best = min(admitted, key=lambda i: whole[:, i].mean())
    print(f"Best of the admitted rules: {list(RULES)[best]}")


def _errors_by_rule(folder: Path) -> dict[tuple[int, str], np.ndarray]:
    """Errors `[draws, rules]` by images per class and kind."""
    errors: dict[tuple[int, str], list[list[float]]] = {}
    for path in sorted(folder.glob("*.npz")):
        _, shots, _, kind = _cell(path)
        validation, test = _answers(np.load(path))
        row = [1 - test.right(rule(validation, test)).mean() for rule in RULES.values()]
        errors.setdefault((shots, kind), []).append(row)
    return {key: np.array(rows) for key, rows in errors.items()}


def print_strategies(folder: Path) -> None:
    """Mean accuracy of each strategy by data and images per class."""
    names = ("head_only", *KINDS.values(), "auto")
    print(f"\n| data | images per class | draws | {' | '.join(names)} |")
    print(f"| --- | --- | --- {'| --- ' * len(names)}|")
    draws = _accuracy_by_strategy(folder)
    cells: dict[tuple[str, int], list[dict[str, float]]] = {}
    for (data, shots, _), row in draws.items():
        cells.setdefault((data, shots), []).append(row)
    for (data, shots), rows in sorted(cells.items()):
        means = [_mean([row[name] for row in rows if name in row]) for name in names]
        print(f"| {data} | {shots} | {len(rows)} | {' | '.join(means)} |")
    of_draws = [row for row in draws.values() if set(row) == set(names)]
    print(f"draws with every strategy: {len(of_draws)} of {len(draws)}")
    whole = [
        [row for row in rows if set(row) == set(names)] for _, rows in cells.items()
    ]
    of_cells = [
        {name: float(np.mean([row[name] for row in rows])) for name in names}
        for rows in whole
        if rows
    ]
    for unit, rows in (("cells", of_cells), ("draws", of_draws)):
        near = [row["auto"] >= max(row.values()) - 0.01 - 1e-9 for row in rows]
        print(f"auto within a point of the best: {sum(near)} of {len(near)} {unit}")
        for name in names[:-1]:
            gain = np.array([row["auto"] - row[name] for row in rows])
            error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
            print(f"auto above {name}: {gain.mean():+.4f} ± {error:.4f} over {unit}")


def _accuracy_by_strategy(
    folder: Path,
) -> dict[tuple[str, int, str], dict[str, float]]:
    """The accuracy on test of each strategy that was trained, by draw."""
    draws: dict[tuple[str, int, str], dict[str, float]] = {}
    for path in sorted(folder.glob("*.npz")):
        data, shots, seed, kind = _cell(path)
        kept = np.load(path)
        validation, test = _answers(kept)
        row = draws.setdefault((data, shots, seed), {})
        whole = whole_or_nothing(validation, test)
        row[KINDS[kind]] = float(test.right(whole).mean())
        if kind != "cut":
            row["head_only"] = float(test.right(test.logits[0]).mean())
        if kind == str(kept["auto"]):
            row["auto"] = float(test.right(by_guard(validation, test)).mean())
        elif not str(kept["auto"]) and kind != "cut":
            row["auto"] = float(test.right(test.logits[0]).mean())
    return draws


def _answers(kept: Mapping[str, np.ndarray]) -> tuple[Answers, Answers]:
    """The answers for validation and test that a file holds."""
    validation, test = (
        Answers(kept[f"{name}_logits"], kept[f"{name}_labels"])
        for name in ("validation", "test")
    )
    return validation, test


def _cell(path: Path) -> tuple[str, int, str, str]:
    """The data, images per class, seed and kind that a file is of."""
    data, shots, seed, kind = path.stem.split(".")
    return data, int(shots), seed, kind


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.4f}" if values else "-"


def _is_worse(difference: np.ndarray) -> bool:
    if len(difference) < 2 or not difference.any() or difference.mean() <= 0:
        return False
    return bool(stats.ttest_1samp(difference, 0).pvalue < 0.05)
