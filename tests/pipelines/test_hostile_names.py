"""S24: names of files and classes do nothing, wherever they are printed or written."""

import csv
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from pipelines.batch.rows import header, line_of
from pipelines.cli import main
from pipelines.display.tables import aligned

FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "=1", "\t=1", "\r=1")
HARMLESS = ("-1", "+2.5", "a=b", "cat", "1-2", "")
# An override of the writing direction, a line break, a command to a terminal, a bell.
ODD = ("gpj.\u202eexe", "two\nlines", "\x1b[2Jgone", "\x07", "\x9b31m")


def row(label):
    return {
        "file": label,
        "label": label,
        "confidence": 0.5,
        "accepted": True,
        "ood_score": -0.25,
        "prediction_set": ["cat"],
        "valid": True,
        "probabilities": {"cat": 0.5},
    }


def cells(line):
    (found,) = csv.reader(io.StringIO(line))
    return found


@pytest.mark.parametrize("text", FORMULAS)
def test_a_table_has_no_formula(text):
    first, label, *_, probability = cells(line_of(".csv", ["file"], row(text)))
    assert first == label
    assert first[0] not in "=+-@\t\r"
    assert text.lstrip("\t\r") in first
    assert first.isprintable()
    assert probability == "0.5"
    answer = {"valid": True, "probabilities": {"=cat": 0.5}}
    named = cells(header(".csv", [text], answer))
    assert not [name for name in named if name[0] in "=+-@\t\r"]


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_names_and_numbers_are_unchanged_in_tables(text):
    found = cells(line_of(".csv", ["file"], row(text)))
    assert found[:2] == [text, text]
    assert found[4] == "-0.25"


@pytest.mark.parametrize("text", ODD)
def test_a_table_on_a_terminal_stays_a_table(text):
    printed = aligned([("class", "examples"), (text, 3)])
    assert len(printed.splitlines()) == 2
    assert all(line.isprintable() for line in printed.split("\n"))


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for name in ("bright", "dark"):
        (folder / name).mkdir(parents=True)
        for index, odd in enumerate((*ODD, "a", "b", "c")):
            pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
            with (folder / name / f"{odd} {index}.png").open("wb") as stream:
                Image.fromarray(pixels).save(stream, "PNG")
    for odd in ODD:
        (folder / "dark" / f"{odd}.png").write_bytes(b"no image")
        (folder / "dark" / f"{odd}.txt").write_bytes(b"no image either")
    return folder


def assert_harmless(*printed):
    assert any(printed)
    for text in printed:
        for line in text.split("\n"):
            assert line.isprintable(), ascii(line)


def test_commands_print_names_without_effect(photos, tiny_flags, tmp_path, capfd):
    path = tmp_path / "page.html"
    assert main(["check", f"dir:{photos}", "--report", str(path)]) == 3
    assert_harmless(*capfd.readouterr())
    page = path.read_text()
    assert page.isascii()
    assert "\x1b" not in page
    assert "&#8238;" not in page, "an override is one in a page too"
    assert main(["train", *tiny_flags, f"--config.data=dir:{photos}"]) == 3
    out, errors = capfd.readouterr()
    assert_harmless(out, errors)
    assert r"\x1b[2Jgone" in errors


def test_a_class_of_an_odd_name_is_refused(photos, tiny_flags, capfd):
    shutil.rmtree(photos / "dark")
    for odd in ODD:
        there = shutil.copytree(photos / "bright", photos / odd)
        assert main(["train", *tiny_flags, f"--config.data=dir:{photos}"]) == 3
        errors = capfd.readouterr().err
        assert_harmless(errors)
        assert "Rename the class" in errors
        shutil.rmtree(there)


def test_odd_file_name_is_predicted_and_printed_safely(
    finished_run, photos, tmp_path, capfd
):
    artifact = str(finished_run / "artifact")
    files = sorted(map(str, (photos / "bright").iterdir()))
    assert main(["predict", artifact, *files]) == 0
    out, _ = capfd.readouterr()
    assert_harmless(out)
    assert len(out.splitlines()) == len(files) + 1
    capfd.readouterr()
    (photos / "bright" / "a 5.png").rename(photos / "bright" / "=cmd() 5.png")
    to = tmp_path / "rows.csv"
    assert main(["predict", artifact, str(photos / "bright"), "--to", str(to)]) == 0
    text = to.read_bytes().decode()
    assert_harmless(text)
    names = [found[0] for found in csv.reader(io.StringIO(text))]
    assert len(names) == len(files) + 1
    assert "'=cmd() 5.png" in names
