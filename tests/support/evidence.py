"""The evidence of a plan as `plan.json` has it, of three blocks."""

from __future__ import annotations

from typing import Any


def evidence(*, far: bool) -> dict[str, Any]:
    """Accuracies that rise with depth; with `far`, a divergence of the first block."""

    def scored(name: str, accuracy: float) -> dict[str, Any]:
        return {
            "reads": [name],
            "grid": 1,
            "width": 8,
            "accuracy": accuracy,
            "standard_error": 0.02,
        }

    depths = [scored("stem", 0.4), scored("middle", 0.6), scored("final", 0.7)]
    divergences = [{"block": "stem", "divergence": 2.0, "median": 0.5}]
    return {
        "depths": depths,
        "heads": [scored("final", 0.7), scored("all", 0.8)],
        "majority_accuracy": 0.1,
        "pixel_accuracy": None,
        "divergences": divergences if far else [],
    }
