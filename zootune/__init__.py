"""The public API in one place: train, load, rank, search, and the backbones.

`zoo` and `pipelines`, which hold what is here, are names that other projects use too.
Importing this imports no TensorFlow; building, training and loading do.

>>> import zootune
>>> zootune.list_backbones("efficientnet_lite*")
['efficientnet_lite0', 'efficientnet_lite1', 'efficientnet_lite2']
"""

from importlib.util import find_spec
from os.path import dirname, realpath
from typing import TYPE_CHECKING, Any

_OURS = dirname(dirname(realpath(__file__)))  # noqa: PTH120 - pathlib may be a stranger


def _refuse_strangers() -> None:
    """Raises `ImportError` unless `zoo` and `pipelines` are the ones beside this."""
    for name in ("zoo", "pipelines"):
        spec = find_spec(name)
        origin = "" if spec is None else spec.origin or ""
        folder = dirname(dirname(realpath(origin)))  # noqa: PTH120
        if folder != _OURS:
            raise ImportError(
                f"The package '{name}' of {folder} is not the one of zootune, which is"
                f" in {_OURS}: another one comes first on Python's import path. Rename"
                " it, or run Python in another folder or with -P; the command `zoo`"
                " works all the same."
            )


# Before an import runs a line of a stranger.
_refuse_strangers()

from pipelines import (  # noqa: E402
    adapt,
    add_class,
    check,
    compare,
    distil,
    evaluate,
    fine_tune,
    load,
    load_model,
    publish,
    rank,
    suggest,
    tune,
)
from pipelines.errors import (  # noqa: E402
    ArtifactError,
    ChangedFilesError,
    ConfigError,
    DataError,
    TrainingError,
)
from zoo import get_spec, list_backbones, register  # noqa: E402
from zoo.errors import (  # noqa: E402
    BackboneError,
    MissingWeightsError,
    UnknownBackboneError,
    WeightsError,
)
from zoo.version import VERSION as __version__  # noqa: E402

if TYPE_CHECKING:
    from pipelines.estimators import (
        ImageClassifier,
        ImageRegressor,
        SeriesClassifier,
        SeriesRegressor,
        SoundClassifier,
        TextClassifier,
        TextRegressor,
    )
    from pipelines.methods.few_shot.classifier import FewShotClassifier
    from pipelines.methods.meta.hypergradient import HypergradientAdam
    from pipelines.methods.meta.learned_optimizer import LearnedOptimizer
    from zoo import build

__all__ = [
    "ArtifactError",
    "BackboneError",
    "ChangedFilesError",
    "ConfigError",
    "DataError",
    "FewShotClassifier",
    "HypergradientAdam",
    "ImageClassifier",
    "ImageRegressor",
    "LearnedOptimizer",
    "MissingWeightsError",
    "SeriesClassifier",
    "SeriesRegressor",
    "SoundClassifier",
    "TextClassifier",
    "TextRegressor",
    "TrainingError",
    "UnknownBackboneError",
    "WeightsError",
    "__version__",
    "adapt",
    "add_class",
    "build",
    "check",
    "compare",
    "distil",
    "evaluate",
    "fine_tune",
    "get_spec",
    "list_backbones",
    "load",
    "load_model",
    "publish",
    "rank",
    "register",
    "suggest",
    "tune",
]


def __getattr__(name: str) -> Any:
    """`build` and the estimators, which import much, when they are asked for."""
    if name == "build":
        import zoo

        return zoo.build
    if name == "FewShotClassifier":
        from pipelines.methods.few_shot.classifier import FewShotClassifier

        return FewShotClassifier
    if name == "HypergradientAdam":
        from pipelines.methods.meta.hypergradient import HypergradientAdam

        return HypergradientAdam
    if name == "LearnedOptimizer":
        from pipelines.methods.meta.learned_optimizer import LearnedOptimizer

        return LearnedOptimizer
    if name.endswith(("Classifier", "Regressor")) and name in __all__:
        from pipelines import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module 'zootune' has no attribute '{name}'")
