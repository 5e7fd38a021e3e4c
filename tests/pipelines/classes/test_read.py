import dataclasses

import numpy as np
import pytest

from pipelines.classes.finished import open_finished
from pipelines.classes.read import FeatureReader, kept_or_read
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError, DataError
from pipelines.features import kept_features
from pipelines.stages.publish import trained_backbone


@pytest.fixture(scope="module")
def reader(trained):
    run = open_finished(trained)
    return FeatureReader(run, lambda: trained_backbone(trained, run.report["backbone"]))


def test_images_read_again_give_kept_features(trained, run_folder, reader):
    kept = kept_or_read(open_finished(trained), reader)
    (run_folder / "checkpoints" / kept_features.FILE_NAME).unlink()
    again = kept_or_read(open_finished(run_folder), reader)
    assert again.class_names == kept.class_names
    for name, split in kept.splits.items():
        other = again.splits[name]
        assert np.array_equal(other.features, split.features), name
        assert other.names.tolist() == split.names.tolist()
        assert other.contents.tolist() == split.contents.tolist()


def test_splits_read_together_are_as_one_by_one(trained, reader):
    splits = load(DatasetRef.parse(open_finished(trained).config.data))
    named = {
        name: getattr(splits, name).take(np.arange(count))
        for name, count in (("train", 9), ("validation", 5), ("test", 0))
    }
    together = reader.read_together(named, views=2)
    for name, split in named.items():
        alone = reader.read(split, views=2 if name == "train" else 1)
        assert together[name].features.dtype == alone.features.dtype
        assert np.array_equal(together[name].features, alone.features), name
        assert together[name].names.tolist() == alone.names.tolist()


def test_changed_data_are_refused(run_folder, reader):
    (run_folder / "checkpoints" / kept_features.FILE_NAME).unlink()
    run = open_finished(run_folder)
    data = {**run.report["data"], "fingerprint": "0"}
    changed = dataclasses.replace(run, report={**run.report, "data": data})
    with pytest.raises(DataError, match="are not the data that"):
        kept_or_read(changed, reader)


def test_features_of_another_backbone_are_refused(run_folder, reader):
    run = open_finished(run_folder)
    kept = kept_features.load(run.features_path)
    kept_features.save(dataclasses.replace(kept, backbone="0" * 64), run.features_path)
    with pytest.raises(ConfigError, match="features of another backbone"):
        kept_or_read(run, reader)
