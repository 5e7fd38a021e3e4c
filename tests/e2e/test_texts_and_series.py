"""Texts and series, from an npz file to predictions of the artifact."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf

import pipelines
import zoo
from pipelines.cli import main
from pipelines.config import FinetuneConfig, HeadConfig
from pipelines.errors import ArtifactError, ConfigError, DataError
from pipelines.formats.targets import TARGETS
from zoo import published

DATA_EXIT_CODE = 3
TOKENS = 12
WORDS = {
    "garden": ["rose", "tulip", "soil", "seed", "bloom", "leaf", "spade", "hedge"],
    "kitchen": ["pan", "salt", "oven", "knife", "butter", "stew", "plate", "flour"],
    "harbour": ["ship", "anchor", "rope", "tide", "crane", "gull", "mast", "cargo"],
}


def _texts(count, seed=0):
    """Sentences with two words that tell the class, between many that do not."""
    rng = np.random.default_rng(seed)
    filler = [f"word{i}" for i in range(200)]
    texts, labels = [], []
    for i in range(count):
        name = list(WORDS)[i % 3]
        words = [*rng.choice(WORDS[name], 2), *rng.choice(filler, rng.integers(1, 9))]
        rng.shuffle(words)
        texts.append(f"{i} {' '.join(words)}")
        labels.append(name)
    return np.array(texts), np.array(labels)


def _series(count, seed=0, steps=48, channels=2):
    """Sines of two frequencies with noise, in every channel another phase."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    time = np.arange(steps)[:, None]
    phase = rng.uniform(0, 6, (count, 1, channels))
    rate = np.where(labels, 0.9, 0.3)[:, None, None]
    waves = np.sin(rate * time + phase) + rng.normal(0, 0.2, (count, steps, channels))
    return waves.astype("float32"), labels


@pytest.fixture(scope="module")
def text_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    texts, labels = _texts(360)
    np.savez(folder / "texts.npz", x=texts, y=labels)
    return pipelines.fine_tune(
        f"npz:{folder}/texts.npz",
        backbone="tiny_text",
        weights="none",
        strategy="full",
        finetune=FinetuneConfig(guard=False),
        input_length=TOKENS,
        workdir=folder / "run",
    )


@pytest.fixture(scope="module")
def series_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    series, labels = _series(240)
    np.savez(folder / "series.npz", x=series, y=labels)
    return pipelines.fine_tune(
        f"npz:{folder}/series.npz",
        backbone="tiny_series",
        weights="none",
        strategy="full",
        finetune=FinetuneConfig(guard=False),
        workdir=folder / "run",
    )


class TestTexts:
    def test_it_learns_and_its_artifact_equals_it(self, text_run):
        assert text_run.report["test"]["accuracy"] >= 0.9
        assert text_run.report["test"]["examples"] == 54
        assert text_run.report["parity"]["largest_difference"] <= 1e-4
        assert text_run.report["parity"]["batch_sizes"] == [0, 1, 3, 24]
        # 16 texts of the test split, and 7 made-up ones, behind one that is not valid.
        assert text_run.report["parity"]["probes"] == 7

    def test_predictions_take_texts_and_say_what_is_none(self, text_run):
        predictor = pipelines.load(text_run.artifact_dir)
        good, blank, broken, other = predictor.predict(
            ["an anchor and a rope", "  ", b"\xff\xfe", "Salt in the Oven!"]
        )
        assert (good.label, good.valid) == ("harbour", True)
        assert (other.label, other.valid) == ("kitchen", True)
        assert (blank.valid, broken.valid) == (False, False)
        assert (broken.label, broken.confidence) == ("", 0.0)

    def test_the_command_line_reads_text_files(self, text_run, tmp_path, capsys):
        path = tmp_path / "note.txt"
        path.write_text("the gull above the cargo ship\n")
        assert main(["predict", str(text_run.artifact_dir), str(path)]) == 0
        assert "harbour" in capsys.readouterr().out

    def test_table_of_texts_is_predicted_row_by_row(self, text_run, tmp_path, capsys):
        table, out = tmp_path / "notes.csv", tmp_path / "out.csv"
        notes = ["the gull above the cargo ship", "  ", "Salt in the Oven!"]
        with table.open("w", newline="") as stream:
            csv.writer(stream).writerows([["note"], *([note] for note in notes)])
        source = f"csv:{table}?text=note"
        command = ["predict", str(text_run.artifact_dir), source, "--to", str(out)]
        assert main(command) == 0
        with out.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert [row["line"] for row in rows] == ["2", "3", "4"]
        assert [row["label"] for row in rows] == ["harbour", "", "kitchen"]
        assert [row["valid"] for row in rows] == ["True", "False", "True"]
        alone = pipelines.load(text_run.artifact_dir).predict(notes)
        found = [float(row["probability:harbour"]) for row in rows]
        wanted = [one.probabilities["harbour"] for one in alone]
        assert found == pytest.approx(wanted, abs=1e-6)

    def test_they_stay_with_tensorflow(self, text_run, tmp_path, capsys):
        base = tmp_path / "base"
        command = ["export", str(text_run.workdir), "--to", str(base)]
        assert main([*command, "--format=litert,onnx"]) == 4
        said = capsys.readouterr().err
        assert "takes texts, and they become tokens inside its graph" in said
        assert not base.exists()
        assert main(command) == 0
        assert pipelines.load(base).predict(["an anchor"])[0].label == "harbour"

    def test_evaluating_the_same_data_gives_the_same(self, text_run, capsys):
        reference = text_run.report["data"]["reference"]
        command = ["evaluate", str(text_run.artifact_dir), "--data", reference]
        assert main([*command, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["split"] == "test"
        assert found["accuracy"] == text_run.report["test"]["accuracy"]

    def test_a_recurrent_head_reads_the_words_in_order(self, text_run, tmp_path):
        run = pipelines.fine_tune(
            text_run.report["data"]["reference"],
            backbone="tiny_text",
            weights="none",
            strategy="head_only",
            head=HeadConfig(
                pooling="bilstm", recurrent_units=16, init="zeros", epochs=2
            ),
            workdir=tmp_path / "run",
        )
        receipt = {row["block"]: row for row in run.report["receipt"]["head"]}
        assert len(receipt) == 4
        assert receipt.pop("head")["largest_change"] > 0
        assert {row["largest_change"] for row in receipt.values()} == {0}
        assert run.model.get_layer("pooled").output.shape == (None, 32)

    def test_it_is_published_with_its_words(self, text_run):
        spec = pipelines.publish(text_run.workdir, name="my_words")
        assert spec.input.default_length_tokens == TOKENS
        loaded = tf.saved_model.load(str(published.module_folder("my_words")))
        texts = tf.constant(["rose tulip", ""])
        features = np.asarray(zoo.build("my_words").model(texts))
        pooled = loaded(texts)
        np.testing.assert_allclose(pooled[0], features[0, :2].mean(0), atol=1e-5)
        np.testing.assert_array_equal(pooled[1], np.zeros(32))


class TestSeries:
    def test_it_learns_and_its_artifact_equals_it(self, series_run):
        assert series_run.report["test"]["accuracy"] >= 0.9
        assert series_run.report["parity"]["largest_difference"] <= 1e-4

    def test_predictions_take_series_and_say_what_is_none(self, series_run):
        predictor = pipelines.load(series_run.artifact_dir)
        (slow, fast), _ = _series(2, seed=7)
        broken, gap = slow.copy(), fast.copy()
        broken[3, 1] = np.inf
        gap[3, 1] = gap[-4:] = np.nan
        found = predictor.predict([slow, broken, gap, np.full_like(slow, np.nan)])
        assert [one.label for one in found] == ["0", "", "1", ""]
        assert [one.valid for one in found] == [True, False, True, False]

    def test_they_have_all_other_formats(self, series_run, tmp_path, capsys):
        base = tmp_path / "base"
        command = ["export", str(series_run.workdir), "--to", str(base)]
        assert main([*command, "--format=litert,onnx", "--json"]) == 0
        records = json.loads(capsys.readouterr().out)["formats"]
        assert [one["format"] for one in records] == [one.name for one in TARGETS]
        for one in records:
            assert one["accuracy_loss"] <= 0.01
            assert one["examples"] == 36
        assert records[0]["largest_difference"] < 1e-4
        assert records[3]["largest_difference"] < 1e-4

    def test_another_shape_is_refused(self, series_run):
        predictor = pipelines.load(series_run.artifact_dir)
        with pytest.raises(ArtifactError, match=r"shape \(48, 2\).*shape \(47, 2\)"):
            predictor.predict([np.zeros((47, 2), "float32")])

    def test_the_command_line_reads_arrays_and_tables(
        self, series_run, tmp_path, capsys
    ):
        (slow, fast), _ = _series(2, seed=7)
        np.save(tmp_path / "slow.npy", slow)
        np.savetxt(tmp_path / "fast.csv", fast, delimiter=",")
        files = [str(tmp_path / name) for name in ("slow.npy", "fast.csv")]
        assert main(["predict", str(series_run.artifact_dir), *files, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["predictions"]
        assert [one["label"] for one in found] == ["0", "1"]

    def test_a_file_without_a_series_is_refused(self, series_run, tmp_path, capsys):
        path = tmp_path / "words.csv"
        path.write_text("no,numbers\n")
        assert main(["predict", str(series_run.artifact_dir), str(path)]) == 3
        assert "holds no series" in capsys.readouterr().err


def test_servers_take_them_and_classify_examples(text_run, series_run):
    from pipelines.serving.server.models import servable
    from pipelines.serving.server.settings import Loading
    from pipelines.serving.warm_up import example_of

    (slow, _), _ = _series(2, seed=7)
    given = {"text": (text_run, b"an anchor"), "series": (series_run, slow)}
    for name, (run, value) in given.items():
        # Runs the warm-up requests too; one that fails is an error.
        loaded = servable.load("m", run.artifact_dir, Loading(require_manifest=True))
        other = example_of({"another": value})
        examples = [example_of({name: value}), b"\xff", b"", other]
        found = loaded.run("classify", {"inputs": np.array(examples, object)})
        (wanted,) = pipelines.load(run.artifact_dir).predict([value])
        np.testing.assert_allclose(
            found["scores"][0], list(wanted.probabilities.values()), atol=1e-5
        )
        assert not found["scores"][1:].any()
        names = [one.decode() for one in found["classes"][3]]
        assert names == list(wanted.probabilities)


def test_a_backbone_for_other_data_is_refused(text_run, tmp_path):
    reference = text_run.report["data"]["reference"]
    with pytest.raises(ConfigError, match="'tiny_image' takes images, .* holds texts"):
        pipelines.fine_tune(
            reference, backbone="tiny_image", weights="none", workdir=tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


def test_an_artifact_for_other_data_is_refused(text_run, series_run, capsys):
    reference = text_run.report["data"]["reference"]
    command = ["evaluate", str(series_run.artifact_dir), "--data", reference]
    assert main(command) == DATA_EXIT_CODE
    assert "holds texts, but the artifact takes series" in capsys.readouterr().err


def test_what_is_no_text_or_series_is_refused(tmp_path):
    from pipelines.data.readers.arrays import read

    waves, labels = _series(8)
    waves[5, 1, 1] = np.inf
    np.savez(tmp_path / "inf.npz", x=waves, y=labels)
    with pytest.raises(
        DataError, match=r"Series 5 in .* infinite or too large .*\(1 series"
    ):
        read(str(tmp_path / "inf.npz"))
    np.savez(tmp_path / "blank.npz", x=["a", " "], y=[0, 1])
    with pytest.raises(DataError, match=r"has blank texts: text 1"):
        read(str(tmp_path / "blank.npz"))
    np.savez(tmp_path / "latin.npz", x=[b"b", "é".encode("latin1")], y=[0, 1])
    with pytest.raises(DataError, match=r"Text 1 in .* is not UTF-8"):
        read(str(tmp_path / "latin.npz"))
    np.savez(tmp_path / "good.npz", x=[b"b", "é".encode()], y=[0, 1])
    values = read(str(tmp_path / "good.npz")).inputs.values
    assert values.tolist() == [b"b", "é".encode()]
