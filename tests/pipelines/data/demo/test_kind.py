"""The facts of every kind of demo data hold together."""

import pytest

import zoo
from pipelines.data.demo.make import KINDS


@pytest.mark.parametrize("name", KINDS)
def test_kind_names_origin_licence_and_files(name):
    kind = KINDS[name]
    assert kind.summary
    assert kind.origin
    assert kind.licence
    assert kind.default_limit >= 20
    for file in kind.files:
        assert "==" in file.package
        assert len(file.sha256) == 64
    for backbone in filter(None, [kind.backbone_to_fetch]):
        assert f"--config.backbone={backbone}" in kind.train_flags
        assert zoo.get_spec(backbone).weights.package
