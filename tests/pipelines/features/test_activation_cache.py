"""An entry is what was computed, or it is computed again."""

import json
import os
import resource

import keras
import numpy as np
import pytest

from pipelines.features.activation_cache import ActivationCache, key_of

ROWS = np.linspace(-3, 3, 20, dtype=np.float32).reshape(10, 2)
IDS = np.arange(10, dtype=np.int64)


@pytest.fixture
def cache(tmp_path):
    return ActivationCache(tmp_path / "cache")


class Computation:
    """Batches of four, counted."""

    def __init__(self, *arrays):
        self.arrays, self.times = arrays, 0

    def __call__(self):
        self.times += 1
        for start in range(0, 10, 4):
            yield tuple(array[start : start + 4] for array in self.arrays)


def _get(cache, computation, key="key"):
    return cache.get(key, computation, examples=10)


def test_activations_are_computed_once_and_read_again(cache):
    computation = Computation(ROWS, IDS)
    for _ in range(3):
        rows, ids = _get(cache, computation)
        np.testing.assert_array_equal(rows, ROWS.astype(np.float16))
        np.testing.assert_array_equal(ids, IDS)
        assert isinstance(rows, np.memmap)
        assert not rows.flags.writeable
    assert computation.times == 1
    _get(cache, computation, key="another")
    assert computation.times == 2


def test_values_beyond_float16_are_stored_as_float32(cache):
    large = ROWS * 1e5
    (rows,) = _get(cache, Computation(large))
    np.testing.assert_array_equal(rows, large)
    (small,) = _get(cache, Computation(ROWS), key="small")
    assert (rows.dtype, small.dtype) == (np.float32, np.float16)


def _cut_short(entry):
    os.truncate(entry / "0.npy", 140)


def _flip_a_bit(entry):
    content = bytearray((entry / "0.npy").read_bytes())
    content[-5] ^= 4
    (entry / "0.npy").write_bytes(content)


def _lose_the_record(entry):
    (entry / "activations.json").unlink()


def _spoil_the_record(entry):
    (entry / "activations.json").write_text('{"sha256": [')


def _name_another_file(entry):
    (entry / "activations.json").write_text(json.dumps({"sha256": {"9.npy": "0"}}))


@pytest.mark.parametrize(
    "harm",
    [_cut_short, _flip_a_bit, _lose_the_record, _spoil_the_record, _name_another_file],
)
def test_a_damaged_entry_is_computed_again(cache, harm, caplog):
    computation = Computation(ROWS)
    _get(cache, computation)
    harm(cache.folder / "key")
    (rows,) = _get(cache, computation)
    np.testing.assert_array_equal(rows, ROWS.astype(np.float16))
    assert computation.times == 2
    assert "Ignoring the activations" in caplog.text


def test_an_interrupted_computation_leaves_nothing(cache):
    def interrupted():
        yield (ROWS[:4],)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _get(cache, interrupted)
    assert list(cache.folder.iterdir()) == []


def test_a_killed_computations_files_are_removed(cache):
    left = cache.folder / ".unfinished-1"
    left.mkdir(parents=True)
    (left / "0.npy").write_bytes(b"half")
    assert _get(cache, Computation(ROWS)) is not None
    assert [path.name for path in cache.folder.iterdir()] == ["key"]


def test_too_few_examples_are_no_entry(cache, caplog):
    assert cache.get("key", Computation(ROWS), examples=12) is None
    assert "10 of 12 examples" in caplog.text
    assert list(cache.folder.iterdir()) == []


def test_a_failed_write_warns_and_leaves_nothing(cache, caplog):
    # Beyond this limit a write fails as on a full disk.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (130, hard))
    try:
        assert _get(cache, Computation(ROWS)) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be stored" in caplog.text
    assert list(cache.folder.iterdir()) == []
    assert _get(cache, Computation(ROWS)) is not None


def test_an_entry_may_fill_half_of_the_space(cache):
    assert cache.has_room(1)
    assert not cache.has_room(2**62)


def _model(units=3, *, seed=0, dtype="float32"):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(units, dtype=dtype)(inputs))


def test_a_key_depends_on_weights_network_and_data():
    same = {"data": "abc", "input_size_px": 32}
    key = key_of(_model(), **same)
    assert key == key_of(_model(), **same)
    others = [
        key_of(_model(), data="abd", input_size_px=32),
        key_of(_model(), data="abc", input_size_px=64),
        key_of(_model(seed=1), **same),
        key_of(_model(units=4), **same),
        key_of(_model(dtype="mixed_bfloat16"), **same),
    ]
    assert len({key, *others}) == 6
