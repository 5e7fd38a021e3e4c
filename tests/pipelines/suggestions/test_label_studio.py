"""Tasks for Label Studio, and labels from its exports."""

import json
from xml.etree import ElementTree

import pytest

from pipelines.errors import DataError
from pipelines.suggestions.label_studio import interface, read, tasks


def _task(name, *labels, data=None, **fields):
    annotations = [
        {"result": [{"type": "choices", "value": {"choices": [label]}}], **fields}
        for label in labels
    ]
    return {"data": data or {"name": name}, "annotations": annotations}


def _export(tmp_path, *entries):
    path = tmp_path / "export.json"
    path.write_text(json.dumps(entries))
    return path


def test_tasks_come_back_with_their_labels(suggested, tmp_path):
    sent = json.loads(tasks(suggested))
    assert [task["data"]["name"] for task in sent] == [r.name for r in suggested.rows]
    for task, row in zip(sent, suggested.rows):
        (prediction,) = task["predictions"]
        (result,) = prediction["result"]
        assert result["value"]["choices"] == [row.predicted]
        assert task["data"]["image"].startswith("/data/local-files/?d=")
        assert " " not in task["data"]["image"]
        task["annotations"] = prediction.pop("result") and _task("", "7")["annotations"]
    labels = read(_export(tmp_path, *sent))
    assert labels.labels == {row.name: "7" for row in suggested.rows}
    assert (labels.column, labels.skipped, labels.unlike) == ("file", 0, ())


def test_interface_has_every_class(suggested):
    root = ElementTree.fromstring(interface(suggested))
    values = [choice.get("value") for choice in root.iter("Choice")]
    assert values == list(suggested.class_names)


def test_cancelled_and_empty_tasks_are_counted(tmp_path):
    path = _export(
        tmp_path,
        _task("a.png", "cat"),
        _task("b.png"),
        _task("c.png", "cat", was_cancelled=True),
        _task("d.png", "cat", "cat"),
        _task("e.png", "cat", "dog"),
        _task("a.png", "dog"),
    )
    labels = read(path)
    assert labels.labels == {"d.png": "cat"}
    assert labels.skipped == 2
    assert set(labels.unlike) == {"a.png", "e.png"}


@pytest.mark.parametrize(
    ("data", "name", "column"),
    [
        ({"image": "/data/local-files/?d=a%20b/c.png"}, "a b/c.png", "file"),
        ({"image": "https://host/photos/d%20e.png"}, "photos/d e.png", "file"),
        ({"text": "good, and cheap"}, "good, and cheap", "text"),
    ],
)
def test_tasks_of_others_are_named_by_their_data(tmp_path, data, name, column):
    labels = read(_export(tmp_path, _task("", "x", data=data)))
    assert (labels.labels, labels.column) == ({name: "x"}, column)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "cannot be read as JSON"),
        ("{}", "holds no list of tasks"),
        ("[]", "holds no list of tasks"),
        ("[3]", "task 1, has no `data` with a name"),
        ('[{"data": {"name": "a"}}]', "task 1, has no list of `annotations`"),
        (
            '[{"data": {"name": "a"}, "annotations": [{"result": [{"value":'
            ' {"choices": ["x", "y"]}}]}]}]',
            "an example has one class",
        ),
    ],
)
def test_other_files_are_refused(tmp_path, text, why):
    path = tmp_path / "export.json"
    path.write_text(text)
    with pytest.raises(DataError, match=why):
        read(path)
