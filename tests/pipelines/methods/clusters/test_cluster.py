"""Examples that look alike are one cluster; what cannot be grouped is named."""

import shutil

import numpy as np
import pytest
from PIL import Image

from pipelines.errors import ConfigError, DataError
from pipelines.methods.clusters.cluster import cluster
from tests.pipelines.methods.clusters.conftest import OF_EACH, SOURCE


def test_kinds_are_found_without_labels(clustered):
    assert clustered.sizes == [OF_EACH] * 3
    assert clustered.agreement == 1
    assert clustered.distances.shape == (3 * OF_EACH, 3)
    np.testing.assert_array_equal(clustered.distances.argmin(1), clustered.assigned)
    assert clustered.values()["k"] == 3


def test_folder_without_classes_has_no_agreement(kinds, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in kinds.rglob("*.png"):
        shutil.copy(path, flat / f"{path.parent.name}-{path.name}")
    (flat / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken\.png"):
        cluster(f"dir:{flat}", source=SOURCE, k=3)
    found = cluster(f"dir:{flat}?on_bad=skip&bad_limit=0.5", source=SOURCE, k=3)
    assert found.skipped == 1
    assert found.agreement is None
    assert found.candidates == ()
    of_name = dict(zip(found.names, found.assigned.tolist()))
    for kind in ("dark", "bright", "striped"):
        assert len({n for name, n in of_name.items() if kind in name}) == 1


def test_largest_cluster_comes_first(kinds):
    found = cluster(f"dir:{kinds}", source=SOURCE, k=5)
    assert found.sizes == sorted(found.sizes, reverse=True)


def test_too_few_examples_are_named(kinds, tmp_path):
    with pytest.raises(DataError, match="has 36 examples, and 40 clusters need 40"):
        cluster(f"dir:{kinds}", source=SOURCE, k=40)
    with pytest.raises(DataError, match="has 12 examples, and a choice"):
        cluster(f"dir:{kinds / 'dark'}", source=SOURCE)
    for i in range(24):
        Image.new("RGB", (16, 16), (9, 9, 9)).save(tmp_path / f"{i}.png")
    with pytest.raises(DataError, match="1 examples with different features"):
        cluster(f"dir:{tmp_path}", source=SOURCE)


@pytest.mark.parametrize("k", [1, -2])
def test_numbers_below_two_are_refused(kinds, k):
    with pytest.raises(ConfigError, match=f"k is {k}"):
        cluster(f"dir:{kinds}", source=SOURCE, k=k)
