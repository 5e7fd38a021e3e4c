"""TensorFlow Serving's text files, field by field."""

from pathlib import Path

import pytest

from pipelines.errors import ConfigError
from pipelines.serving.server import text_files
from pipelines.serving.server.models.model_config import (
    VersionPolicy,
)
from pipelines.serving.server.settings import Batching


def test_a_models_config_is_read_field_by_field():
    (one, two, three) = text_files.parse_models(
        """model_config_list {
        config { name: 'a' base_path: '/m/a' model_platform: 'tensorflow'
          model_version_policy { specific { versions: 42 versions: 43 } }
          version_labels { key: 'stable' value: 42 } }
        config { name: 'b' base_path: '/m/b'
          model_version_policy { latest { num_versions: 3 } } }
        config { name: 'c' base_path: '/m/c' model_version_policy { all {} } } }"""
    )
    assert (one.name, one.base_path) == ("a", Path("/m/a"))
    assert one.policy == VersionPolicy("specific", versions=frozenset({42, 43}))
    assert one.labels == {"stable": 42}
    assert two.policy == VersionPolicy("latest", count=3)
    assert three.policy == VersionPolicy("all")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list {", "Error parsing text-format .*ModelServerConfig"),
        ("custom_model_config {}", "without one"),
        ("", "without one"),
        ("model_config_list { config { name: 'a' } }", "needs a name and a base_path"),
        (
            "model_config_list { config { name: 'a' base_path: 'm' } }",
            "must be absolute",
        ),
        (
            "model_config_list { config { name: 'a' base_path: '/m'"
            " model_platform: 'torch' } }",
            "of platform 'torch'",
        ),
        (
            "model_config_list { config { name: 'a' base_path: '/m'"
            " version_labels { key: '../x' value: 1 } } }",
            "letters, digits and _",
        ),
    ],
)
def test_a_models_config_that_cannot_be(text, message):
    with pytest.raises(ConfigError, match=message):
        text_files.parse_models(text)


def test_batching_parameters():
    found = text_files.parse_batching(
        "max_batch_size { value: 64 } batch_timeout_micros { value: 500 }"
        " max_enqueued_batches { value: 3 } num_batch_threads { value: 2 }"
        " allowed_batch_sizes: 16 allowed_batch_sizes: 64"
        " enable_large_batch_splitting { value: false } thread_pool_name { value: 'x' }"
    )
    assert found == Batching(
        max_batch_size=64,
        batch_timeout_micros=500,
        max_enqueued_batches=3,
        num_batch_threads=2,
        allowed_batch_sizes=(16, 64),
        enable_large_batch_splitting=False,
    )
    assert text_files.parse_batching("") == Batching()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size: 3", "Error parsing"),
        ("unknown { value: 3 }", "Error parsing"),
        ("max_batch_size { value: 0 }", "must be 1 or more"),
        ("allowed_batch_sizes: 8 allowed_batch_sizes: 4", "must grow"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "the last must"),
        ("pad_variable_length_inputs: true", "is not done"),
    ],
)
def test_batching_parameters_that_cannot_be(text, message):
    with pytest.raises(ConfigError, match=message):
        text_files.parse_batching(text)


def test_where_metrics_are():
    parse = text_files.parse_metrics_path
    assert parse('prometheus_config { enable: true path: "/m" }') == "/m"
    assert parse("prometheus_config { enable: true }").endswith("/metrics")
    assert parse("prometheus_config { enable: false }") is None
    with pytest.raises(ConfigError, match="Error parsing"):
        parse("prometheus {")
