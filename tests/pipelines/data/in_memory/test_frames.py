"""Tables of pandas, and data sets with the interface of Hugging Face."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas
import pytest

from pipelines.data.in_memory.frames import of_frame, of_hugging_face
from pipelines.errors import DataError

TEXTS = pandas.DataFrame(
    {"text": ["good", "bad"], "label": ["x", "y"], "who": ["a", "b"], "n": [1.0, 2.0]}
)


def test_columns_have_their_usual_names():
    read = of_frame(TEXTS, {}).examples(on_bad="fail", problem="auto")
    assert read.inputs.values.tolist() == [b"good", b"bad"]
    assert read.class_names == ("x", "y")


def test_columns_are_named():
    frame = TEXTS.rename(columns={"text": "review", "label": "mood"})
    named = {"text": "review", "label": "mood", "group": "who", "weight": "n"}
    read = of_frame(frame, named).examples(on_bad="fail", problem="auto")
    assert list(read.groups) == ["a", "b"]
    assert read.weights.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("frame", "named", "message"),
    [
        (TEXTS, {"label": "mod"}, "no column 'mod', which label= names"),
        (TEXTS.drop(columns="label"), {}, "no column 'label'"),
        (TEXTS.drop(columns="text"), {}, "Say which one holds the examples"),
        (TEXTS.assign(image="a.png"), {}, "Say which one holds the examples"),
        (TEXTS.assign(text=["good", None]), {}, "Text 1 in the pandas table"),
        (TEXTS.assign(label=["x", None]), {}, "missing for 1 examples: 1"),
    ],
)
def test_other_columns_are_refused(frame, named, message):
    with pytest.raises(DataError, match=message):
        of_frame(frame, named)


@dataclasses.dataclass
class Image:
    """A feature that is named as that of `datasets`."""

    decode: bool = True


@dataclasses.dataclass
class ClassLabel:
    """A feature that is named as that of `datasets`."""

    names: list[str]


@dataclasses.dataclass
class Dataset:
    """The interface of `datasets.Dataset`, as far as it is used."""

    columns: dict[str, list[Any]]
    features: dict[str, Any]

    @property
    def column_names(self):
        return list(self.columns)

    def __getitem__(self, name):
        if isinstance(self.features[name], Image):
            assert not self.features[name].decode, "read as pictures and not as bytes"
        return self.columns[name]

    def with_format(self, kind):
        assert kind is None
        return self

    def cast_column(self, name, feature):
        return Dataset(self.columns, self.features | {name: feature})


def dataset(**more):
    cells = [{"bytes": b"1", "path": None}, {"bytes": b"2", "path": None}]
    columns = {"photo": cells, "breed": [1, 0], **{name: [0, 0] for name in more}}
    return Dataset(
        columns, {"photo": Image(), "breed": ClassLabel(["cat", "dog"]), **more}
    )


def test_columns_follow_from_features():
    passed = of_hugging_face(dataset(), {})
    assert passed.y.tolist() == ["dog", "cat"]
    assert len(passed.x) == 2


def test_several_columns_of_labels_are_asked_about():
    several = dataset(mood=ClassLabel(["sad", "glad"]))
    with pytest.raises(DataError, match=r"could be the label: breed, mood"):
        of_hugging_face(several, {})
    assert of_hugging_face(several, {"label": "mood"}).y.tolist() == ["sad", "sad"]


def test_labels_that_are_missing_are_named():
    unknown = dataset()
    unknown.columns["breed"] = np.array([1, -1]).tolist()
    with pytest.raises(DataError, match="missing for 1 examples: 1"):
        of_hugging_face(unknown, {})
