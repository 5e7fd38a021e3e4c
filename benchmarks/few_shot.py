"""Few examples of new classes: heads on frozen features, over 600 episodes.

Emoji in classes by category and subcategory, drawn by one vendor; half of the classes
give the mean, scale and metric, and episodes draw from the other half. Needs the FOLDER
of `benchmarks.development_data`, and EfficientNet-Lite0 (extra `quickstart`).

Command: python -m benchmarks.few_shot FOLDER [--heads NAME,NAME] [--seed N]
Cost:    some minutes on two cores without the head `auto`, and more with it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from pipelines.methods.few_shot.classifier import FewShotClassifier
from pipelines.methods.few_shot.episodes import Setting
from pipelines.methods.few_shot.evaluation import Examples, head_scores, parted
from pipelines.methods.few_shot.examples import labelled
from pipelines.methods.few_shot.features import FeatureSource, Source

_BACKBONE, _SIZE_PX = "efficientnet_lite0", 128
# Blocks that are read, ways and shots.
_SETTINGS = (("all", 5, 1), ("all", 5, 5), ("all", 20, 5), ("last", 5, 5))
# Five shots and as many queries: half of the classes have more than twenty examples.
_QUERIES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--heads", default="centroid,lda,ridge,logistic,metric")
    parser.add_argument("--episodes", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(_added(arguments.folder / "emoji_google"), flush=True)
    read, last = _features(arguments.folder)
    for reads, ways, shots in _SETTINGS:
        width = last if reads == "last" else 0
        setting = Setting(ways, shots, _QUERIES, arguments.episodes, arguments.seed)
        novel, base = parted(Examples(read.features[:, -width:], read.labels), setting)
        started = time.process_time()
        scores = head_scores(novel, base, setting, arguments.heads.split(","))
        cells = (
            f"{score.head} {score.accuracy:.4f} ± {score.interval:.4f}"
            for score in scores
        )
        print(
            f"{reads}, {ways}-way {shots}-shot, of"
            f" {len(setting.classes_of(novel.labels))} classes: {', '.join(cells)};"
            f" {time.process_time() - started:.0f} s of CPU",
            flush=True,
        )


def _features(folder: Path) -> tuple[Examples, int]:
    """The averages over all blocks with labels, and the width of the last block."""
    with labelled(f"csv:{folder}/emoji_google.csv?image=image&label=label") as data:
        source = Source(_BACKBONE, input_size_px=_SIZE_PX, reads="all")
        network = FeatureSource(source, data.inputs)
        *_, last = network.outputs.values()
        return Examples(network.read(data.inputs), data.labels), int(last.shape[-1])


def _added(folder: Path) -> str:
    """A class that is added against a fit to all, in nine categories of 20 images."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    images = {path.name: sorted(map(str, path.iterdir()))[:20] for path in classes}
    *old, new = images
    shots = FewShotClassifier(_BACKBONE, head="lda", input_size_px=_SIZE_PX)
    shots.fit(*_pairs({name: images[name] for name in old}))
    shots.add_class(new, images[new])
    before = time.process_time()
    shots.remove_class(new)
    took = time.process_time() - before
    shots.add_class(new, images[new])
    again = FewShotClassifier(_BACKBONE, head="lda", input_size_px=_SIZE_PX)
    again.fit(*_pairs(images))
    some = [paths[0] for paths in images.values()]
    apart = np.abs(shots.predict_proba(some) - again.predict_proba(some)).max()
    return (
        f"a change of classes: {took:.2f} s of CPU beside reading images,"
        f" {shots.kept_bytes / 1e6:.2f} MB kept of {len(images) * 20} examples,"
        f" probabilities differ from those of a new fit by {apart:.1e}"
    )


def _pairs(images: dict[str, list[str]]) -> tuple[list[str], list[str]]:
    paths = [path for of_class in images.values() for path in of_class]
    labels = [name for name, of_class in images.items() for _ in of_class]
    return paths, labels


if __name__ == "__main__":
    main()
