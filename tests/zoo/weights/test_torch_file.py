"""The reader of PyTorch files, on files made by hand: no torch, and nothing is run."""

import pickle

import numpy as np
import pytest

from zoo.errors import CorruptWeightsError
from zoo.weights.torch_file import read_torch_file

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
STORAGES = {"float32": "FloatStorage", "int64": "LongStorage"}


def _body(value):
    """The opcodes that push a plain value: a pickle without its frame."""
    return pickle.dumps(value, protocol=2)[2:-1]


def _global(module, name):
    return f"c{module}\n{name}\n".encode()


def _ordered_dict(*pairs):
    """An OrderedDict of opcodes for keys and values."""
    empty = _global("collections", "OrderedDict") + b")R"
    return empty + b"(" + b"".join(pairs) + b"u" if pairs else empty


def _pickled(body):
    return b"\x80\x02" + body + b"."


def _storage(key, dtype, elements, *, kind="storage", view=None):
    return (
        b"("
        + _body(kind)
        + _global("torch", STORAGES.get(dtype, dtype))
        + b"".join(_body(part) for part in (key, "cpu", elements, view))
        + b"tQ"
    )


def _tensor(storage, *, shape, strides, offset=0):
    return (
        _global("torch._utils", "_rebuild_tensor_v2")
        + b"("
        + storage
        + b"".join(_body(part) for part in (offset, shape, strides, False))
        + _ordered_dict()
        + b"tR"
    )


def _file(
    tensors,
    storages,
    *,
    magic=MAGIC_NUMBER,
    version=PROTOCOL_VERSION,
    system=b"}",
    counts=None,
):
    """A legacy file: opcodes per tensor name, and an array per storage key."""
    counts = counts or {}
    state = _ordered_dict(*(_body(name) + body for name, body in tensors.items()))
    parts = [
        pickle.dumps(magic, protocol=2),
        pickle.dumps(version, protocol=2),
        _pickled(system),
        _pickled(state),
        pickle.dumps(list(storages), protocol=2),
    ]
    for key, array in storages.items():
        parts.append(counts.get(key, array.size).to_bytes(8, "little", signed=True))
        parts.append(array.tobytes())
    return b"".join(parts)


def _one_tensor(*, shape, strides, offset=0, elements=12, **options):
    """A file of one float tensor `w` over a storage that counts up from 0."""
    tensor = _tensor(
        _storage("0", "float32", elements), shape=shape, strides=strides, offset=offset
    )
    return _file({"w": tensor}, {"0": np.arange(elements, dtype="<f4")}, **options)


@pytest.fixture
def read(tmp_path):
    def read_bytes(content):
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        return read_torch_file(path)

    return read_bytes


class TestGoodFiles:
    def test_tensors_come_in_the_order_of_the_file(self, read):
        kernel = np.arange(24, dtype="<f4").reshape(2, 3, 4)
        steps = np.array([7], dtype="<i8")
        found = read(
            _file(
                {
                    "z.kernel": _tensor(
                        _storage("10", "float32", 24),
                        shape=(2, 3, 4),
                        strides=(12, 4, 1),
                    ),
                    "a.steps": _tensor(_storage("9", "int64", 1), shape=(), strides=()),
                },
                {"9": steps, "10": kernel},
            )
        )
        assert list(found) == ["z.kernel", "a.steps"]
        np.testing.assert_array_equal(found["z.kernel"], kernel)
        assert found["z.kernel"].dtype == np.float32
        assert found["a.steps"].shape == ()
        assert found["a.steps"] == 7
        assert found["a.steps"].dtype == np.int64

    @pytest.mark.parametrize(
        ("shape", "strides", "offset", "expected"),
        [
            ((12,), (1,), 0, np.arange(12)),
            ((3, 4), (4, 1), 0, np.arange(12).reshape(3, 4)),
            ((4, 3), (1, 4), 0, np.arange(12).reshape(3, 4).T),
            (
                (2, 2, 3),
                (1, 6, 2),
                0,
                np.arange(12).reshape(2, 3, 2).transpose(2, 0, 1),
            ),
            ((2, 3), (3, 1), 6, np.arange(6, 12).reshape(2, 3)),
            ((4,), (3,), 2, np.array([2, 5, 8, 11])),
            ((1,), (1,), 11, np.array([11])),
            ((0,), (1,), 0, np.zeros(0)),
        ],
    )
    def test_strides_and_offset_are_followed(
        self, read, shape, strides, offset, expected
    ):
        found = read(_one_tensor(shape=shape, strides=strides, offset=offset))["w"]
        np.testing.assert_array_equal(found, expected)
        assert found.shape == shape

    def test_tensors_of_one_storage_are_copies(self, read):
        storage = _storage("0", "float32", 4)
        tensors = {
            "first": _tensor(storage, shape=(2,), strides=(1,)),
            "all": _tensor(storage, shape=(4,), strides=(1,)),
        }
        found = read(_file(tensors, {"0": np.arange(4, dtype="<f4")}))
        found["first"][:] = -1
        np.testing.assert_array_equal(found["all"], [0, 1, 2, 3])


class TestHostileFiles:
    """The files name functions; the tests see that these were not called."""

    @pytest.fixture
    def marker(self, tmp_path):
        return tmp_path / "called"

    @pytest.fixture
    def attack(self, marker):
        """Opcodes that call `os.system` and leave a marker if they are run."""
        return _global("os", "system") + b"(" + _body(f"touch {marker}") + b"tR"

    def test_the_attack_works_on_an_unrestricted_reader(self, attack, marker):
        assert pickle.loads(_pickled(attack)) == 0
        assert marker.exists()

    def test_a_call_in_the_system_information_is_refused(self, read, attack, marker):
        content = _one_tensor(shape=(12,), strides=(1,), system=attack)
        with pytest.raises(CorruptWeightsError, match=r"names os\.system"):
            read(content)
        assert not marker.exists()

    def test_call_in_place_of_tensor_is_refused(self, read, attack, marker):
        with pytest.raises(CorruptWeightsError, match=r"names os\.system"):
            read(_file({"w": attack}, {}))
        assert not marker.exists()

    def test_call_in_place_of_pickle_is_refused(self, read, attack, marker):
        with pytest.raises(CorruptWeightsError, match=r"names os\.system"):
            read(_pickled(attack))
        assert not marker.exists()

    @pytest.mark.parametrize(
        ("module", "name"),
        [
            ("builtins", "eval"),
            ("builtins", "getattr"),
            ("torch", "load"),
            ("torch._utils", "_rebuild_parameter"),
            ("collections", "defaultdict"),
            ("zoo.weights.torch_file", "read_torch_file"),
            ("numpy", "memmap"),
        ],
    )
    def test_any_other_name_is_refused(self, read, module, name):
        with pytest.raises(CorruptWeightsError, match=f"names {module}.{name}"):
            read(_file({"w": _global(module, name)}, {}))

    @pytest.mark.parametrize(
        "storage",
        [
            _storage("0", "float32", 12, kind="module"),
            _storage("0", "float32", 12, view=("1", 0, 2)),
            b"(" + b"".join(_body(n) for n in range(6)) + b"tQ",
            _body("storage") + b"Q",
        ],
        ids=["kind", "view", "no dtype", "no tuple"],
    )
    def test_an_unknown_storage_is_refused(self, read, storage):
        tensor = _tensor(storage, shape=(12,), strides=(1,))
        with pytest.raises(CorruptWeightsError, match="not a readable PyTorch"):
            read(_file({"w": tensor}, {"0": np.arange(12, dtype="<f4")}))

    def test_a_storage_of_another_type_is_refused(self, read):
        with pytest.raises(CorruptWeightsError, match=r"names torch\.HalfStorage"):
            read(
                _file(
                    {
                        "w": _tensor(
                            _storage("0", "HalfStorage", 2), shape=(2,), strides=(1,)
                        )
                    },
                    {"0": np.zeros(2, "<f2")},
                )
            )


class TestDamagedFiles:
    def test_every_cut_is_refused(self, read):
        content = _one_tensor(shape=(3, 4), strides=(4, 1))
        assert read(content)["w"].shape == (3, 4)
        for size in range(len(content)):
            with pytest.raises(CorruptWeightsError, match="fetch it again"):
                read(content[:size])

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html>404</html>"])
    def test_another_kind_of_file_is_refused(self, read, content):
        with pytest.raises(
            CorruptWeightsError, match=r"weights\.pth is not a readable"
        ):
            read(content)

    @pytest.mark.parametrize("change", [{"magic": 1}, {"version": 1002}])
    def test_another_version_is_refused(self, read, change):
        with pytest.raises(CorruptWeightsError, match="does not start as a legacy"):
            read(_one_tensor(shape=(12,), strides=(1,), **change))

    @pytest.mark.parametrize("count", [11, 13, 0, -1, 2**62])
    def test_differing_count_is_refused(self, read, count):
        content = _one_tensor(shape=(12,), strides=(1,), counts={"0": count})
        with pytest.raises(
            CorruptWeightsError, match=f"has {count} elements, expected"
        ):
            read(content)

    @pytest.mark.parametrize("count", [13, 2**40, 2**61, -1])
    def test_a_count_beyond_the_file_is_refused(self, read, count):
        """Both places agree, so only the size of the file speaks against them."""
        tensor = _tensor(_storage("0", "float32", count), shape=(12,), strides=(1,))
        content = _file(
            {"w": tensor}, {"0": np.arange(12, dtype="<f4")}, counts={"0": count}
        )
        with pytest.raises(CorruptWeightsError, match="not a readable"):
            read(content)

    @pytest.mark.parametrize(
        ("shape", "strides", "offset"),
        [
            ((13,), (1,), 0),
            ((12,), (1,), 1),
            ((1,), (1,), 12),
            ((3, 4), (5, 1), 0),
            ((2,), (2**61,), 0),
            ((12,), (-1,), 11),
            ((2,), (1,), -1),
            ((-1,), (1,), 0),
            ((3, 4), (4,), 0),
            ((12,), (4, 1), 0),
            ((13,), (0,), 0),
            ((2**33, 2**33), (0, 0), 0),
            ((2**32, 2**32, 0), (1, 1, 1), 0),
            (("3",), (1,), 0),
        ],
    )
    def test_a_tensor_outside_its_storage_is_refused(
        self, read, shape, strides, offset
    ):
        with pytest.raises(CorruptWeightsError, match="not a readable"):
            read(_one_tensor(shape=shape, strides=strides, offset=offset))

    def test_absent_storage_is_refused(self, read):
        tensor = _tensor(_storage("1", "float32", 12), shape=(12,), strides=(1,))
        with pytest.raises(CorruptWeightsError, match="'[01]'"):
            read(_file({"w": tensor}, {"0": np.arange(12, dtype="<f4")}))

    def test_a_value_that_is_no_tensor_is_refused(self, read):
        with pytest.raises(CorruptWeightsError, match="not a readable"):
            read(_file({"epoch": _body(3)}, {}))

    def test_a_missing_file_is_no_corrupt_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            read_torch_file(tmp_path / "absent.pth")
