"""One worker calls by itself; two of them are in `test_distribution`."""

import pytest

from pipelines.errors import ArtifactError, ChangedFilesError, DataError, TrainingError
from pipelines.training.distributed.workers import ALONE, _as_values, _result_of
from zoo.errors import BackboneError, MissingWeightsError


def test_one_worker_calls_the_function_itself():
    result = object()
    assert ALONE.on_chief(lambda: result) is result
    with pytest.raises(DataError, match="^no rows$"):
        ALONE.on_chief(_fail, DataError("no rows"))


def _fail(error):
    raise error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ArtifactError("no space"), ArtifactError, "On the chief: no space"),
        (ChangedFilesError("a.png"), ChangedFilesError, "On the chief: a.png"),
        (MissingWeightsError("none"), BackboneError, "none"),
        (OSError(28, "full"), TrainingError, "On the chief: OSError: .*full"),
    ],
)
def test_an_error_of_the_chief_keeps_its_class(error, kind, message):
    with pytest.raises(kind, match=message) as caught:
        _result_of(_as_values(error), "the chief")
    assert type(caught.value) is kind
    assert _result_of({"result": [1]}, "the chief") == [1]
