import json

import pytest

from pipelines.errors import ConfigError
from pipelines.training.distributed.cluster import Cluster, cluster_of

TWO = {"worker": ["first:1", "second:1"]}


def text(cluster: object = TWO, **task: object) -> str:
    return json.dumps({"cluster": cluster, "task": task})


def test_without_a_chief_the_first_worker_is_it():
    assert cluster_of(text(type="worker", index=1)) == Cluster(
        ("first:1", "second:1"), index=1
    )
    assert cluster_of(text(type="worker", index=0)).is_chief


def test_a_chief_comes_before_the_workers():
    cluster = {**TWO, "chief": ["head:1"]}
    found = cluster_of(text(cluster, type="worker", index=1))
    assert found == Cluster(("head:1", "first:1", "second:1"), index=2)
    assert cluster_of(text(cluster, type="chief", index=0)).is_chief


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{", "it is not JSON"),
        ("3", "it is 3, which is not an object"),
        ('{"task": {}}', r"it has no cluster, but the keys \['task'\]"),
        (json.dumps({"cluster": TWO}), "it has no task, but the keys"),
        (text(type="worker", index=2), "task is worker 2, and cluster names 2"),
        (text(type="worker", index=-1), "task is worker -1"),
        (text(type="worker", index="0"), "task is worker '0'"),
        (text(type="chief", index=0), "task is chief 0, and cluster names 0"),
        (text(type="evaluator", index=0), "type 'evaluator'.*without parameter server"),
        (text({**TWO, "ps": ["p:1"]}, type="ps", index=0), "a task of type 'ps'"),
        (text({"worker": "a:1"}, type="worker", index=0), "not a list of HOST:PORT"),
        (text({"worker": ["a"]}, type="worker", index=0), "not a list of HOST:PORT"),
        (text({"worker": ["a:1", "a:1"]}, type="worker", index=0), "a:1 is named twi"),
        (text({**TWO, "chief": ["a:1", "b:1"]}, type="chief", index=0), "2 chiefs"),
    ],
)
def test_what_is_malformed_is_named_with_an_example(given, message):
    with pytest.raises(ConfigError, match=rf"TF_CONFIG cannot be used: .*{message}"):
        cluster_of(given)
    with pytest.raises(ConfigError, match="It looks like .*Fix it, or leave it"):
        cluster_of(given)
