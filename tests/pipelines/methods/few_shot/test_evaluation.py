import numpy as np
import pytest

from pipelines.errors import ConfigError, DataError
from pipelines.methods.few_shot.episodes import Setting
from pipelines.methods.few_shot.evaluation import NAMES, evaluate
from pipelines.methods.few_shot.features import Source

TINY = Source("tiny_image", weights="none")


@pytest.fixture
def data(digits):
    return (
        np.concatenate([images[:8] for images in digits.values()]),
        np.repeat(list(digits), 8),
    )


def test_half_of_the_classes_are_the_base(data):
    setting = Setting(ways=3, shots=2, queries=5, episodes=12)
    result = evaluate(data, setting, source=TINY)
    assert [score.head for score in result.heads if score.head != "metric"] == [
        name for name in NAMES if name != "metric"
    ]
    assert "metric" in {score.head for score in result.heads}
    assert (result.classes, result.base_classes) == (5, 5)
    assert all(0.4 < score.accuracy <= 1 for score in result.heads)
    assert all(0 < score.interval < 0.2 for score in result.heads)


def test_too_few_classes_have_no_base(data):
    setting = Setting(ways=8, shots=1, queries=3, episodes=4)
    result = evaluate(data, setting, source=TINY, heads=["lda", "metric"])
    assert [score.head for score in result.heads] == ["lda"]
    assert (result.classes, result.base_classes) == (10, 0)
    assert result.base == "each support set"


def test_base_of_other_data_leaves_all_classes(data):
    setting = Setting(ways=3, shots=1, queries=3, episodes=4)
    result = evaluate(data, setting, source=TINY, base=data, heads=["centroid"])
    assert (result.classes, result.base_classes) == (10, 10)


def test_unknown_heads_and_empty_data_are_refused(data):
    setting = Setting(ways=3, shots=1, queries=3, episodes=4)
    with pytest.raises(ConfigError, match="no head 'tree'; allowed: centroid"):
        evaluate(data, setting, source=TINY, heads=["tree"])
    with pytest.raises(DataError, match="holds no pixel"):
        evaluate((data[0][:0], data[1][:0]), setting, source=TINY)
