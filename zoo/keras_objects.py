"""Layers and optimizers of ours, for Keras to find when it loads a saved model.

Keras knows a class by the name that it was registered with, which happens where the
class is defined: in modules that import Keras, as `import zoo` must not. So names are
registered as soon as there is a Keras, and the class is imported when it is asked for.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_PACKAGE = "zootune"
# The module that defines a class, by its name. A model of a run has those of both.
CLASSES = {
    "PixelNormalization": "zoo.graph.preprocessing",
    "SeriesNormalization": "zoo.graph.preprocessing",
    "MiniRocket": "zoo.graph.minirocket",
    "ColumnSums": "zoo.graph.columns",
    "LogMel": "zoo.sounds.log_mel",
    "SpectrogramPicture": "zoo.sounds.picture",
    "SavedModelLayer": "zoo.saved_model.layer",
    "PatchMap": "zoo.sources.kerashub",
    "HashedWords": "zoo.tokenization.hashed_words",
    "PresetTokenizer": "zoo.tokenization.preset",
    "SentencePiece": "zoo.tokenization.sentencepiece",
    "WordPiece": "zoo.tokenization.wordpiece",
    "Words": "zoo.tokenization.words",
    "ResidualBlock": "pipelines.features.new_blocks",
    "TokenBlock": "pipelines.features.new_blocks",
    "CellMap": "pipelines.features.cells",
    "GridPooling": "pipelines.features.pooling",
    "Standardize": "pipelines.features.pooling",
    "TokenPooling": "pipelines.features.pooling",
    "GradientReversal": "pipelines.methods.adaptation.dann",
    "HypergradientAdam": "pipelines.methods.meta.hypergradient",
    "LearnedOptimizer": "pipelines.methods.meta.learned_optimizer",
    "AnomalyMap": "pipelines.problems.anomalies.map_layer",
    "AnomalyScore": "pipelines.problems.anomalies.score_layer",
    "NearestPatches": "pipelines.problems.anomalies.patch_layer",
    "ReconstructionScores": "pipelines.problems.anomalies.reconstruction_layer",
    "ProfileScores": "pipelines.problems.anomalies.profile_layer",
    "WindowScores": "pipelines.problems.anomalies.window_layer",
    "CumulativeLink": "pipelines.problems.cumulative_link",
    "InferenceOnly": "pipelines.training.freezing",
    "PriorInTraining": "pipelines.training.class_weighting",
    "RisingRate": "pipelines.training.rate_finder",
    "Adam": "pipelines.training.rates",
    "AdamW": "pipelines.training.rates",
    "SGD": "pipelines.training.rates",
}


def register() -> None:
    """Registers the names now, or when Keras is imported, by whomever."""
    if hasattr(sys.modules.get("keras"), "saving"):
        _add_names()
    elif not any(isinstance(finder, _AwaitsKeras) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AwaitsKeras())


def _add_names() -> None:
    import keras

    known = keras.saving.get_custom_objects()
    for name, module in CLASSES.items():
        known.setdefault(f"{_PACKAGE}>{name}", _Later(module, name))


class _Later:
    """Stands for a class in Keras' table, until its module is imported."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def from_config(self, config: dict[str, Any]) -> Any:
        """Makes what the class makes of its config."""
        cls = getattr(importlib.import_module(self._module), self._name)
        return cls.from_config(config)


class _AwaitsKeras(MetaPathFinder):
    """Finds nothing by itself: has something done once Keras was executed."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != "keras":
            return None
        for finder in sys.meta_path:
            spec = None
            if finder is not self:
                spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _ThenNames(spec.loader)
                return spec
        return None


class _ThenNames(Loader):
    """Executes Keras as its own loader does, and adds our names."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Whoever looks finds Keras' own loader, which also reads its data files.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        sys.meta_path[:] = [
            finder for finder in sys.meta_path if not isinstance(finder, _AwaitsKeras)
        ]
        _add_names()
