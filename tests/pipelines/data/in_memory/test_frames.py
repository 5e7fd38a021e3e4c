"""Tables of pandas; data sets of Hugging Face are in `test_hugging_face.py`."""

from __future__ import annotations

import pandas
import pytest

from pipelines.data.in_memory.frames import of_frame
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
