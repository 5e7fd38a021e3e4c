"""YAML keeps the order of keys and the lines of texts, and has no aliases."""

import yaml

from pipelines.serving.deploy.as_yaml import as_yaml


def test_document_is_read_back_in_order():
    shared = {"a": 1}
    values = {"z": "first\nsecond\n", "b": shared, "a": [shared, "on", "1e3"]}
    text = as_yaml(values, comment="How to use it.\nTwice.")
    assert text.startswith("# How to use it.\n# Twice.\nz: |\n")
    assert "&" not in text
    assert yaml.safe_load(text) == values
    assert list(yaml.safe_load(text)) == ["z", "b", "a"]
