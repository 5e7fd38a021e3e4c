"""Sounds by default settings: from a folder of WAV files to answers from bytes."""

import json
import shutil

import numpy as np
import pytest

import pipelines
import zoo
from pipelines.cli import main
from pipelines.data.sounds.wave_file import wave_bytes
from pipelines.errors import ConfigError
from tests.support.tones import RATE_HZ, bad_sounds, tone, write_tones


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    reference = f"dir:{write_tones(folder / 'tones', each=20)}"
    return pipelines.fine_tune(reference, workdir=folder / "run")


def test_defaults_suffice_and_parity_holds(run):
    report = run.report
    assert report["test"]["accuracy"] == 1.0
    assert report["backbone"]["name"] == "sound_minirocket"
    assert report["backbone"]["weights"] == "fitted"
    assert report["parity"]["largest_difference"] <= 1e-5
    manifest = pipelines.load(run.artifact_dir).artifact.manifest
    assert manifest.preprocessing["modality"] == "sound"
    assert manifest.preprocessing["rate_hz"] == RATE_HZ
    assert manifest.preprocessing["input_length"] == 300


def test_artifact_takes_every_form_of_file(run):
    predictor = pipelines.load(run.artifact_dir)
    low = tone(300, rate_hz=44_100, seed=77)
    files = [
        wave_bytes(low, 44_100),
        wave_bytes(np.stack([low, low], axis=1), 44_100, bits=24, extensible=True),
        wave_bytes(low, 44_100, bits=32, floating=True),
        wave_bytes(tone(1_200, seed=78), RATE_HZ, bits=8),
        # Half a minute: the middle is read.
        wave_bytes(np.tile(tone(300, seed=79), 100), RATE_HZ),
    ]
    answers = predictor.predict(files)
    assert [a.label for a in answers] == ["low", "low", "low", "high", "low"]
    # Silence is a sound: it has an answer, and no number in it is missing.
    (silence,) = predictor.predict([wave_bytes(np.zeros(RATE_HZ), RATE_HZ)])
    assert silence.valid
    assert sum(silence.probabilities.values()) == pytest.approx(1)


def test_bad_bytes_are_not_valid_and_named(run):
    predictor = pipelines.load(run.artifact_dir)
    good = wave_bytes(tone(300, seed=5), RATE_HZ)
    first, *answers, last = predictor.predict([good, *bad_sounds().values(), good])
    assert first.label == last.label == "low"
    assert first.confidence == last.confidence
    assert not any(answer.valid for answer in answers)
    reasons = [answer.reason for answer in answers]
    assert "no bytes" in reasons[0]
    assert "cut short" in reasons[1]


def test_commands_read_files_folders_and_tables(run, tmp_path, capsys):
    folder = run.report["data"]["reference"].removeprefix("dir:")
    one = f"{folder}/low/00.wav"
    assert main(["predict", str(run.artifact_dir), one, "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["predictions"]
    assert answer["label"] == "low"
    out = tmp_path / "all.jsonl"
    assert main(["predict", str(run.artifact_dir), folder, "--to", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 40
    table = tmp_path / "table.csv"
    rows = [f"{folder}/{name}/01.wav,{name}\n" for name in ("low", "high")]
    table.write_text("sound,label\n" + "".join(rows))
    capsys.readouterr()
    evaluate = ["evaluate", str(run.artifact_dir), "--data", f"csv:{table}", "--json"]
    assert main(evaluate) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 1.0


def test_interrupted_run_ends_with_the_same_bits(run, tmp_path):
    again = shutil.copytree(run.workdir, tmp_path / "run")
    shutil.rmtree(again / "artifact")
    (again / "report.json").unlink()
    resumed = pipelines.fine_tune(run.report["data"]["reference"], workdir=again)
    first, second = (r.model.get_weights() for r in (run, resumed))
    for old, new in zip(first, second, strict=True):
        np.testing.assert_array_equal(old, new)


def test_other_formats_and_repair_are_refused_by_name(run, tmp_path, capsys):
    target = ["--to", str(tmp_path / "lite"), "--format", "litert"]
    assert main(["export", str(run.workdir), *target]) == 4
    assert "takes sounds" in capsys.readouterr().err
    reference = run.report["data"]["reference"]
    assert main(["check", reference, "--fix", str(tmp_path / "copy")]) == 2
    assert "--fix copies folders of images" in capsys.readouterr().err


def test_published_backbone_keeps_its_rate_and_length(run, monkeypatch, tmp_path):
    monkeypatch.setenv("ZOOTUNE_HOME", str(tmp_path))
    assert main(["publish", str(run.workdir), "--name", "my_tones"]) == 0
    spec = zoo.get_spec("my_tones")
    assert (spec.input.rate_hz, spec.input.default_length_ms) == (RATE_HZ, 300)
    content = np.array([wave_bytes(tone(300), RATE_HZ)], object)
    ours = zoo.build("my_tones").model(content).numpy()
    theirs = pipelines.load(run.artifact_dir).features(list(content))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_other_backbones_and_augmentation_are_refused(run, tmp_path, capsys):
    reference = run.report["data"]["reference"]
    with pytest.raises(ConfigError, match="takes images, but .* holds sounds"):
        pipelines.fine_tune(reference, backbone="tiny_image", workdir=tmp_path / "a")
    config = ["--config.augment.strength=light", f"--config.workdir={tmp_path / 'b'}"]
    assert main(["train", f"--config.data={reference}", *config]) == 2
    assert "hold sounds; only images" in capsys.readouterr().err


def test_class_of_sounds_is_added(run, tmp_path):
    folder = shutil.copytree(run.workdir, tmp_path / "run")
    (tmp_path / "more" / "mid").mkdir(parents=True)
    for i in range(8):
        samples = tone(600, seed=500 + i)
        path = tmp_path / "more" / "mid" / f"{i}.wav"
        path.write_bytes(wave_bytes(samples, RATE_HZ))
    pipelines.add_class(folder, name="mid", data=f"dir:{tmp_path / 'more'}")
    asked = [wave_bytes(tone(hz, seed=9), RATE_HZ) for hz in (300, 600, 1_200)]
    answers = pipelines.load(folder / "artifact").predict(asked)
    assert [answer.label for answer in answers] == ["low", "mid", "high"]
