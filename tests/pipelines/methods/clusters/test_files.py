"""The files of clusters: a table, a page and facts."""

import csv
import dataclasses
import json

import pytest

from pipelines.errors import ConfigError
from pipelines.methods.clusters.files import page, write


def test_write_leaves_table_page_and_facts(clustered, tmp_path):
    table, _, facts = write(clustered, tmp_path / "new")
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 36
    by_cluster = {row["cluster"]: set() for row in rows}
    for row in rows:
        by_cluster[row["cluster"]].add(row["label"])
    assert {frozenset(labels) for labels in by_cluster.values()} == {
        frozenset({kind}) for kind in ("dark", "bright", "striped")
    }
    assert json.loads(facts.read_text())["sizes"] == [12, 12, 12]
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write(clustered, tmp_path / "file" / "new")


def test_page_shows_middle_edge_and_choice(clustered):
    text = page(clustered)
    assert text.count("data:image/jpeg;base64,") == 36
    assert "Agreement with the labels: 1.00" in text
    assert "<h2>3: 12 examples</h2>" in text
    assert "silhouette" in text
    plain = dataclasses.replace(clustered, candidates=(), agreement=None, labels=None)
    assert "silhouette" not in page(plain)
    assert "Agreement" not in page(plain)
