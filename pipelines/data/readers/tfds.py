"""`tfds:` - data that TensorFlow Datasets has prepared on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import tensorflow as tf

from pipelines.data.names import choices, listing
from pipelines.data.readers import folder
from pipelines.data.readers.records import Keys, read_shards
from pipelines.data.readers.split_folders import LAYOUTS
from pipelines.data.reference import DatasetRef
from pipelines.data.split_names import SPLIT_NAMES, usual_split
from pipelines.data.splits import Examples
from pipelines.data.targets.choice import SINGLE_LABEL
from pipelines.display.text import shown
from pipelines.errors import DataError
from zoo.storage.fetch import is_offline
from zoo.storage.home import expanded

_INFO = "dataset_info.json"
_PIXELS = (tf.uint8, tf.uint16)
_WORDS = {"image": "an image", "text": "a text"}

_log = logging.getLogger(__name__)


def read(ref: DatasetRef, *, problem: str = SINGLE_LABEL) -> Examples:
    """The examples of a prepared data set, in the order of its splits and files.

    The location is a name, `NAME[/CONFIG][:VERSION]`, in `data_dir`
    (`~/tensorflow_datasets` by default), where it is prepared if it is not yet; or the
    folder of a prepared version; or a folder in the layout of `tfds.ImageFolder`.

    Its records are read as in `tfrecord:`: images stay encoded in their files. The
    features show which one holds the example and which one the label, unless the
    reference names them. Splits are `train`, `validation` and `test`; a warning names
    others. A sequence of class labels is a list of labels, as in `tfrecord:`.

    Raises:
        DataError: if the data are not there and cannot be prepared, if they hold
            neither images nor texts with a label, or as `tfrecord:`.
    """
    path = expanded(ref.location)
    is_path = ref.location.startswith(("/", ".", "~"))
    if is_path and ref.data_dir is not None:
        raise DataError(
            f"{ref.location} is a folder already, so data_dir= means nothing. Give one."
        )
    if is_path and not (path / _INFO).is_file():
        return _image_folder(ref, path)
    if ref.layout != LAYOUTS[0]:
        raise DataError(f"layout= is for folders, and {ref.location} is not one.")
    tfds = _package()
    builder = _builder(tfds, ref)
    keys = _keys(tfds, ref, builder)
    files = list(_files(builder))
    label = builder.info.features[keys.label]
    names = getattr(getattr(label, "feature", label), "names", None)
    examples = read_shards(
        [path for _, path in files],
        keys,
        problem=problem,
        class_names=names or None,
        splits=[split for split, _ in files],
        on_bad=ref.on_bad,
    )
    ours = _our_names(builder.info.splits)
    expected = sum(builder.info.splits[name].num_examples for name in ours)
    if len(examples) + len(examples.skipped) != expected:
        raise DataError(
            f"{ref} has {len(examples)} records, and its {_INFO} says {expected}."
            " Prepare it again."
        )
    return examples


def _image_folder(ref: DatasetRef, path: Path) -> Examples:
    """A folder that `tfds.ImageFolder` could read, as `dir:` reads it."""
    names_features = any((ref.image, ref.text, ref.label))
    if names_features or not path.is_dir():
        raise DataError(
            f"{shown(str(path))} has no {_INFO}, so TensorFlow Datasets has not"
            " prepared it, and it has no features to name. For a folder of"
            " images, use 'dir:'."
        )
    return folder.read(ref.location, group=ref.group, layout=ref.layout)


def _package() -> ModuleType:
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise DataError(
            f"'tfds:' needs TensorFlow Datasets ({error}). Run: pip install"
            " 'zootune[tfds]'"
        ) from None
    return tensorflow_datasets


def _builder(tfds: ModuleType, ref: DatasetRef) -> Any:
    """The builder of prepared data, or of data that are prepared now."""
    if (expanded(ref.location) / _INFO).is_file():
        return tfds.builder_from_directory(str(expanded(ref.location)))
    where = {} if ref.data_dir is None else {"data_dir": ref.data_dir}
    if "data_dir" in where:
        where["data_dir"] = str(expanded(where["data_dir"]))
    from tensorflow_datasets.core import read_only_builder

    try:
        # From its files alone: without the internet, and without the code that made it.
        return read_only_builder.builder_from_files(ref.location, **where)
    except tfds.core.DatasetNotFoundError:
        return _prepared(tfds, ref, where)


def _prepared(tfds: ModuleType, ref: DatasetRef, where: dict[str, str]) -> Any:
    """The builder of a data set that is downloaded and written now."""
    place = where.get("data_dir", "~/tensorflow_datasets")
    advice = (
        f"On a machine with internet, run: tfds build {ref.location} --data_dir={place}"
        " and carry that folder here."
    )
    try:
        builder = tfds.builder(ref.location, **where)
    except tfds.core.DatasetNotFoundError:
        near = choices(ref.location.partition("/")[0], tfds.list_builders())
        hint = near.rpartition(" Did you mean ")[2] if "Did you mean" in near else ""
        raise DataError(
            f"There is no prepared data set {ref.location!r} in {place}, and TensorFlow"
            " Datasets knows none of this name."
            + (f" Did you mean {hint}" if hint else "")
            + " Say where it is with data_dir=FOLDER."
        ) from None
    if is_offline():
        raise DataError(
            f"{ref.location!r} is not prepared in {place}, and ZOOTUNE_OFFLINE forbids"
            f" to download it. {advice}"
        )
    try:
        # Without a search in Google's storage, which waits for minutes offline.
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(try_download_gcs=False)
        )
    except Exception as error:
        # Builders are code of many authors; what they raise has no common class.
        raise DataError(
            f"{ref.location!r} is not prepared in {place} and could not be downloaded"
            f" ({type(error).__name__}: {str(error).splitlines()[0]}). {advice}"
        ) from error
    return builder


def _keys(tfds: ModuleType, ref: DatasetRef, builder: Any) -> Keys:
    """The features that hold the example and the label."""
    features = dict(builder.info.features)
    kinds = {"image": tfds.features.Image, "text": tfds.features.Text}
    named = {m: getattr(ref, m) for m in kinds if getattr(ref, m) is not None}
    others = {"label": ref.label, "group": ref.group, "weight": ref.weight}
    for option, name in {**named, **others}.items():
        if name is not None and name not in features:
            raise DataError(
                f"{ref.location} has no feature {name!r} for {option}=."
                f" {choices(name, features)}"
            )
    supervised = builder.info.supervised_keys or ()
    for modality, kind in kinds.items():
        names = [named[modality]] if modality in named else []
        if not named:
            names = [
                name for name, feature in features.items() if type(feature) is kind
            ]
            names = [name for name in names if name in supervised] or names
        if len(names) > 1:
            raise DataError(
                f"{ref.location} has several features of this kind: {', '.join(names)}."
                f" Say which one is meant, with {modality}=NAME."
            )
        if names:
            _require_kind(names[0], features[names[0]], modality, kind)
            label = ref.label or _label(tfds, features, supervised, ref)
            return Keys(modality, names[0], label, group=ref.group, weight=ref.weight)
    raise DataError(
        f"{ref.location} has neither an image nor a text among its features:"
        f" {', '.join(features)}. Other kinds cannot be read."
    )


def _require_kind(name: str, feature: Any, modality: str, kind: Any) -> None:
    if type(feature) is not kind:
        raise DataError(
            f"The feature {name!r} is a {type(feature).__name__}, not"
            f" {_WORDS[modality]}."
        )
    if modality == "image" and (dtype := tf.as_dtype(feature.dtype)) not in _PIXELS:
        raise DataError(
            f"The images of {name!r} are {dtype.name} numbers inside of a PNG, which"
            " cannot be read as pixels. Images must be uint8."
        )


def _label(
    tfds: ModuleType, features: dict[str, Any], supervised: Any, ref: DatasetRef
) -> str:
    is_label = tfds.features.ClassLabel
    labels = [n for n, feature in features.items() if type(feature) is is_label] or [
        n
        for n, feature in features.items()
        if type(getattr(feature, "feature", None)) is is_label
    ]
    chosen = [name for name in labels if name in supervised] or labels
    if len(chosen) != 1:
        raise DataError(
            f"{ref.location} has {len(chosen)} features that are class labels"
            f" ({', '.join(chosen) or 'none'}). Say which feature is the label, with"
            f" label=NAME. There are: {', '.join(features)}."
        )
    return chosen[0]


def _files(builder: Any) -> Iterator[tuple[str, str]]:
    """Our name of the split, and the path, of every file of records."""
    form = builder.info.file_format.value
    if form != "tfrecord":
        raise DataError(
            f"{builder.info.full_name} is prepared as {form} files, and only tfrecord"
            " can be read. Prepare it with: tfds build ... --file_format=tfrecord"
        )
    splits = builder.info.splits
    ours = _our_names(splits)
    others = [name for name in splits if name not in ours]
    if others:
        _log.warning("%s: left out the splits %s", builder.info.full_name, others)
    if "train" not in ours.values():
        raise DataError(
            f"{builder.info.full_name} has no train split, and only"
            f" {listing(splits, shown=5)}."
        )
    for name, ours_is in ours.items():
        for path in splits[name].filepaths:
            yield ours_is, str(path)


def _our_names(splits: Iterable[str]) -> dict[str, str]:
    """Our name of each usual split; of two for the same, the plainer name is kept."""
    meanings = {name: meant for name in splits if (meant := usual_split(name))}
    of_split: dict[str, str] = {}
    for name in sorted(meanings, key=lambda name: (name not in SPLIT_NAMES, len(name))):
        of_split.setdefault(meanings[name], name)
    return {
        name: meanings[name] for name in meanings if of_split[meanings[name]] == name
    }
