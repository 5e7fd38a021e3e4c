"""The trained backbone is kept so that it can be built again."""

import numpy as np
import pytest

import zoo
from pipelines.errors import ConfigError
from pipelines.stages.publish import publish, save_backbone
from zoo.storage.hashing import hash_file


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("tiny_image", {"input_size_px": 16}),
        ("tiny_series", {"input_length": 20, "channels": 3}),
    ],
)
def test_what_is_kept_rebuilds_the_backbone(tmp_path, name, sizes):
    backbone = zoo.build(name, weights=None, **sizes)
    kept = save_backbone(backbone, tmp_path / "checkpoints", handle="")
    (path,) = (tmp_path / "checkpoints").iterdir()
    assert (kept["name"], kept["weights"]) == (name, "random")
    assert kept["sha256"] == hash_file(path, "sha256")
    built = {key: kept[key] for key in ("input_size_px", "input_length", "channels")}
    assert built.items() >= sizes.items()
    again = zoo.build(name, weights=path, **built)
    for value, wanted in zip(
        again.model.get_weights(), backbone.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(value, wanted)


def test_weights_are_replaced_as_a_whole(tmp_path):
    for _ in range(2):
        backbone = zoo.build("tiny_image", weights=None, input_size_px=16)
        kept = save_backbone(backbone, tmp_path, handle="")
    assert [path.name for path in tmp_path.iterdir()] == [kept["file"]]


def test_a_folder_without_a_report_is_refused(tmp_path):
    (tmp_path / "report.json").write_text('{"backbone": {}}')
    with pytest.raises(ConfigError, match="not the folder of a finished run"):
        publish(tmp_path, name="mine")
