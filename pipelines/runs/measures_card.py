"""The model card of a run whose examples do not have one class each."""

from __future__ import annotations

from typing import Any

import yaml
from markupsafe import Markup

from pipelines.display import markdown
from pipelines.runs.prepare import Described
from pipelines.stages.evaluate import Evaluation

_MOST = 50


def measures_card(
    title: str, prepared: Described, calibration: Any, evaluation: Evaluation
) -> str:
    """The card as Markdown, with a head of YAML; nothing depends on the machine."""
    info, spec = prepared.info, prepared.base.spec
    test, validation = evaluation.test, evaluation.validation
    per = next(getattr(test, name) for name in vars(test) if name.startswith("per_"))
    fields = {
        "license": spec.license.lower(),
        "library_name": "zootune",
        "tags": ["zootune", "tensorflow", "keras", prepared.problem.name, spec.name],
        "metrics": list(test.headline),
    }
    return markdown.document(
        "measures_card.md",
        front=Markup(yaml.safe_dump(fields, sort_keys=False).rstrip()),
        title=title,
        details=[
            ("task", f"{info.problem}: {prepared.problem.size_in_words}"),
            ("backbone", spec.name),
            ("licence of the backbone", spec.license),
            ("strategy", prepared.plan.action),
            ("format", "TensorFlow SavedModel; preprocessing is inside"),
        ],
        modality=prepared.base.spec.modality,
        reference=info.reference,
        fingerprint=info.fingerprint,
        metrics=[
            (name.replace("_", " "), getattr(test, name), getattr(validation, name))
            for name in test.recorded
        ],
        baselines=[
            (name.replace("_", " "), value)
            for name, value in evaluation.baselines.items()
        ],
        header=list(next(iter(per.values()))),
        rows=[(name, list(row.values())) for name, row in list(per.items())[:_MOST]],
        reason=calibration.reason,
    )
