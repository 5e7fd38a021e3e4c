"""A table from its file to a served artifact, and to a table with more columns."""

import csv
import json
import random

import numpy as np
import pytest

import pipelines
import zoo
from pipelines.batch.source import parse
from pipelines.cli import main
from pipelines.config import FinetuneConfig
from pipelines.errors import ConfigError, DataError
from pipelines.stages.publish import publish
from zoo.published import columns_of

JOBS = ("cook", "nurse", "pilot")
QUICK = {
    "finetune": FinetuneConfig(epochs=8),
    "precision": "float32",
    "batch_size": 16,
}


def _write(path, count, *, more=()):
    draw = random.Random(0)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["", "age (years)", "job", *more, "label"])
        for i in range(count):
            age, job = draw.randint(18, 80), draw.choice(JOBS)
            label = "yes" if age / 20 + JOBS.index(job) > 3.5 else "no"
            cells = ["" if i % 10 == 3 else age, "?" if i % 10 == 4 else job]
            writer.writerow([i, *cells, *(draw.random() for _ in more), label])
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    table = _write(folder / "people.csv", 160)
    return pipelines.fine_tune(
        f"csv:{table}?columns=*", workdir=folder / "run", **QUICK
    )


@pytest.fixture
def row():
    return {"age (years)": 39, "job": "pilot"}


def test_run_reports_simple_models_beside_the_network(run):
    report = run.report
    assert report["backbone"]["name"] == "table_dense"
    assert report["test"]["accuracy"] > 0.8
    assert report["parity"]["largest_difference"] <= 1e-5
    compared = report["simple_models"]
    assert set(compared["models"]) == {
        *("network", "logistic_regression", "histogram_gradient_boosting")
    }
    assert compared["recommended"] in compared["models"]


def test_artifact_answers_rows_with_gaps_and_news(run, row):
    predictor = pipelines.load(run.artifact_dir)
    rows = [
        row,
        {"age_years": 39.0, "job": b"pilot"},
        {**row, "job": "astronaut"},
        {**row, "age (years)": None, "more": 1},
        {"age (years)": None, "job": None},
        {**row, "age (years)": float("inf")},
    ]
    answers = predictor.predict(rows)
    assert [a.valid for a in answers] == [True, True, True, True, False, False]
    assert answers[0] == answers[1]
    assert answers[4].reason == "every value of the row is missing"
    assert answers[5].reason == "the value of 'age_years' is infinite"
    assert predictor.features(rows[:2]).shape == (2, 256)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"job": ...}, "A row lacks 'job'"),
        ({"age (years)": "old"}, "column 'age_years' takes numbers; 'old' came"),
        ({"job": ["a"]}, "column 'job' takes texts; a list came"),
    ],
)
def test_rows_of_another_kind_are_refused(run, row, change, message):
    wrong = {k: v for k, v in (row | change).items() if v is not ...}
    with pytest.raises(DataError, match=message):
        pipelines.load(run.artifact_dir).predict([wrong])


def test_commands_know_tables(run, row, tmp_path, capsys):
    artifact, table = str(run.artifact_dir), run.workdir.parent / "people.csv"
    assert main(["evaluate", artifact, "--data", f"csv:{table}?columns=*"]) == 0
    assert "split: test" in capsys.readouterr().out
    one = tmp_path / "row.json"
    one.write_text(json.dumps(row))
    assert main(["predict", artifact, str(one)]) == 0
    out = tmp_path / "out.csv"
    assert main(["predict", artifact, f"csv:{table}", "--to", str(out)]) == 0
    with out.open() as stream:
        written = list(csv.DictReader(stream))
    assert len(written) == 160
    assert written[0]["row"] == "line 2"
    assert all(line["valid"] == "True" for line in written)


def test_table_without_a_column_is_refused(run, tmp_path):
    table = tmp_path / "short.csv"
    table.write_text("job\ncook\n")
    facts = pipelines.load(run.artifact_dir).artifact.manifest.preprocessing
    source = parse(
        f"csv:{table}", modality="table", columns=columns_of(facts["columns"])
    )
    with pytest.raises(DataError, match=r"lacks 1 of the 2 columns.*age \(years\)"):
        list(source.items())


def test_published_network_moves_to_more_columns(run, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOOTUNE_HOME", str(tmp_path))
    publish(run.workdir, name="people_dense")
    table = _write(tmp_path / "more.csv", 60, more=("wage",))
    moved = pipelines.fine_tune(
        f"csv:{table}?columns=*",
        backbone="people_dense",
        workdir=tmp_path / "run",
        **QUICK,
    )
    assert moved.report["backbone"]["weights"] == "default"
    answer, *_ = pipelines.load(moved.artifact_dir).predict(
        [{"age (years)": 70, "job": "pilot", "wage": 0.5}]
    )
    assert answer.valid
    old, new = (
        zoo.build("people_dense", columns=columns).model.get_layer("columns")
        for columns in (None, [*columns_of(moved.report["backbone"]["columns"])])
    )
    np.testing.assert_array_equal(new.of_numbers[0], old.of_numbers[0])
    np.testing.assert_array_equal(new.of_numbers[1], np.zeros(256))


def test_classes_of_a_table_are_not_changed(run, tmp_path):
    table = _write(tmp_path / "more.csv", 20)
    with pytest.raises(ConfigError, match="was trained on a table"):
        pipelines.add_class(run.workdir, name="maybe", data=f"csv:{table}?columns=*")


def test_other_formats_of_tables_are_refused(run, tmp_path, capsys):
    command = ["export", str(run.workdir), "--to", str(tmp_path / "exported")]
    assert main([*command, "--format", "onnx,litert-float32"]) != 0
    said = " ".join(capsys.readouterr().err.split())
    assert "takes rows of a table, and categories become numbers" in said
    assert "litert-float32, onnx; --format savedmodel can" in said
    assert not (tmp_path / "exported").exists()


def test_detectors_of_tables_are_refused(tmp_path):
    table = _write(tmp_path / "people.csv", 40)
    table.write_text(table.read_text().replace(",no", ",normal"))
    with pytest.raises(ConfigError, match="IsolationForest"):
        pipelines.fine_tune(
            f"csv:{table}?columns=*", problem="anomaly", workdir=tmp_path / "run"
        )
