import shutil

import numpy as np
import pytest

from pipelines.classes.new_class import splits_of_class
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError

RUN = DatasetRef.parse("dir:photos")


def _split(data, name="three", **options):
    return splits_of_class(
        str(data), name, **{"run_data": RUN, "modality": "image", **options}
    )


def test_splits_of_class_are_disjoint_by_content(digits, tmp_path):
    folder = shutil.copytree(digits / "new", tmp_path / "new")
    for path in list(folder.iterdir())[:4]:
        shutil.copy(path, path.with_name(f"copy_of_{path.name}"))
    splits = _split(f"dir:{folder}")
    assert sum(map(len, splits.values())) == 34
    assert all(map(len, splits.values()))
    groups = [set(split.groups.tolist()) for split in splits.values()]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 30


def test_splits_of_two_images_all_train(digits, tmp_path):
    (tmp_path / "two").mkdir()
    for path in sorted((digits / "new").iterdir())[:2]:
        shutil.copy(path, tmp_path / "two")
    sizes = {name: len(split) for name, split in _split(f"dir:{tmp_path}/two").items()}
    assert sizes == {"train": 2, "validation": 0, "test": 0}


def test_splits_of_class_refuse_another_modality(digits):
    with pytest.raises(DataError, match="holds images, but the run was .* texts"):
        _split(f"dir:{digits / 'new'}", modality="text")


def test_series_of_another_shape_are_refused(tmp_path):
    np.savez(tmp_path / "hop.npz", x=np.zeros((4, 5, 2)), y=["hop"] * 4)
    message = "5 steps and 2 channels, but the run was trained on 9 steps and 2"
    data = f"npz:{tmp_path / 'hop.npz'}"
    with pytest.raises(DataError, match=message):
        _split(data, "hop", modality="series", shape=(9, 2))
