"""The splits that names of folders, cells of tables and keys of records mean."""

from __future__ import annotations

import re

from pipelines.data.names import choices
from pipelines.data.spelling import normal
from pipelines.display.text import shortened
from pipelines.errors import DataError

_TRAIN, _VALIDATION, _TEST = "train", "validation", "test"
SPLIT_NAMES = (_TRAIN, _VALIDATION, _TEST)
# Usual words that mean one split only.
_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), _TRAIN),
    **dict.fromkeys(
        ("validation", "validate", "validating", "valid", "val", "vali"), _VALIDATION
    ),
    **dict.fromkeys(("dev", "devel", "development"), _VALIDATION),
    **dict.fromkeys(("test", "testing", "tst"), _TEST),
}
# Words for parts of data that may be any split.
# fmt: off
_VAGUE = frozenset(
    {
        "eval", "evaluation", "holdout", "heldout", "hold", "held", "unseen",
        "unlabeled", "unlabelled", "trainval", "traintest", "trainvaltest", "pred",
        "predict", "prediction", "inference", "tuning",
    }
)
# fmt: on
# Words beside them: `training_set`, `train-images`, `test2017`.
# fmt: off
_BESIDE = frozenset(
    {
        "set", "sets", "data", "dataset", "datasets", "image", "images", "img",
        "imgs", "pic", "pics", "picture", "pictures", "photo", "photos", "split",
        "splits", "file", "files", "sample", "samples", "example", "examples", "part",
        "folder", "subset",
    }
)
# fmt: on


def usual_split(name: str) -> str | None:
    """The split that a name surely means, or None.

    >>> usual_split("Training_Set"), usual_split("train_station")
    ('train', None)
    """
    words = [word for word in _words(name) if word not in _BESIDE]
    splits = {_WORDS.get(word) for word in words}
    return splits.pop() if len(splits) == 1 else None


def vague_split(name: str) -> str | None:
    """The split that a name may mean, or None.

    A word that may mean any split is returned itself.
    """
    for word in _words(name):
        if word in _WORDS:
            return _WORDS[word]
        if word in _VAGUE:
            return word
    return None


def split_name(text: str, *, where: str) -> str:
    """The split that a text means.

    Raises:
        DataError: if it means none; the message names `where` it stands.
    """
    split = usual_split(text)
    if split is None:
        raise DataError(
            f"split in {where} has the value {shortened(text)!r}."
            f" {choices(text, SPLIT_NAMES)} The usual spellings, such as 'val', 'dev'"
            " or 'Training', are understood too."
        )
    return split


def _words(name: str) -> list[str]:
    """The words of a name in lower case; `testset` is two."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", normal(name))
    words = []
    for word in re.findall(r"[^\W\d_]+", apart.casefold()):
        inside = _without_beside(word)
        words.append(inside if inside in _WORDS or inside in _VAGUE else word)
    return words


def _without_beside(word: str) -> str:
    ends = [end for end in _BESIDE if word.endswith(end) and word != end]
    return word.removesuffix(max(ends, key=len)) if ends else word
