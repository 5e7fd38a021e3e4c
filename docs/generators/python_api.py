"""The reference of the Python API: what `zootune` exports, by autodoc."""

from __future__ import annotations

import inspect

import zootune

# What the functions give, and clients of a server: their classes, with these members.
RESULTS = {
    "pipelines.runs.result.Run": (),
    "pipelines.planning.plan.TransferPlan": (),
    "pipelines.planning.backbones.ranking.Ranking": (),
    "pipelines.runs.search_result.Search": (),
    "pipelines.serving.predictor.Predictor": (
        *("modality", "predict", "features", "probabilities", "graph", "trained_on"),
    ),
    "pipelines.serving.prediction.Prediction": (),
    "zoo.spec.BackboneSpec": (),
    "pipelines.serving.client.RestClient": ("predict",),
    "pipelines.serving.client.GrpcClient": ("predict",),
    "pipelines.serving.client.ServerError": (),
}


_OF_CLASSIFIERS = ("fit", "predict", "predict_proba")
_OF_REGRESSORS = ("fit", "predict")
_MEMBERS = {
    **dict.fromkeys(
        ("ImageClassifier", "TextClassifier", "SeriesClassifier", "SoundClassifier"),
        _OF_CLASSIFIERS,
    ),
    "FewShotClassifier": (
        *("fit", "add_class", "remove_class", "forget", "predict", "predict_proba"),
        *("save", "load", "export", "kept_bytes"),
    ),
    **dict.fromkeys(
        ("ImageRegressor", "TextRegressor", "SeriesRegressor"), _OF_REGRESSORS
    ),
}


def page() -> str:
    """Functions, results, and errors."""
    functions = [n for n in exported() if not is_error(n)]
    failures = [n for n in exported() if is_error(n)]
    values = [n for n in functions if inspect.isclass(getattr(zootune, n))]
    parts = [
        "## Functions",
        *(_directive("function", f"zootune.{n}") for n in functions if n not in values),
        "## Classes",
        *(_directive("class", f"zootune.{n}", _MEMBERS.get(n, ())) for n in values),
    ]
    parts += ["## Results and clients"]
    parts += [_directive("class", name, members) for name, members in RESULTS.items()]
    parts += ["## Errors"]
    parts += [_directive("exception", f"zootune.{name}") for name in failures]
    return "\n\n".join(parts)


def exported() -> list[str]:
    """The names that `import zootune` gives, without the version."""
    return [name for name in zootune.__all__ if not name.startswith("_")]


def is_error(name: str) -> bool:
    """True for an exception."""
    member = getattr(zootune, name)
    return inspect.isclass(member) and issubclass(member, Exception)


def _directive(kind: str, name: str, members: tuple[str, ...] = ()) -> str:
    listed = f"\n   :members: {', '.join(members)}" if members else ""
    return f"```{{eval-rst}}\n.. auto{kind}:: {name}{listed}\n```"
