"""`tar:` reads what WebDataset writes, and names what it cannot."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.data.checks.content_hashes import content_hashes
from pipelines.data.load import load, read
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError


def png(seed, kind="PNG"):
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 10, 3)).astype("u1")
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def tar(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


def images(count, *, first=0, **labels):
    for i in range(first, first + count):
        yield f"photos/{i:04}.png", png(i)
        yield f"photos/{i:04}.cls", str(i % 2).encode()


def examples(reference):
    return read(DatasetRef.parse(reference))


def test_images_and_classes_of_several_files(tmp_path):
    for number in range(2):
        tar(tmp_path / f"train-{number}.tar", images(20, first=20 * number))
    found = examples(f"tar:{tmp_path}/train-*.tar")
    assert (len(found), found.class_names) == (40, ("0", "1"))
    assert found.labels.tolist() == [0, 1] * 20
    assert found.names[21] == "train-1.tar, record 1"
    records = found.inputs
    content = Path(records.shards[1]).read_bytes()[records.start[21] :]
    assert content[: records.length[21]] == png(21)


def test_same_images_have_the_splits_of_a_folder(tmp_path):
    tar(tmp_path / "all.tar", images(60))
    for i in range(60):
        folder = tmp_path / "folder" / str(i % 2)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:04}.png").write_bytes(png(i))
    of_tar = load(DatasetRef.parse(f"tar:{tmp_path}/all.tar"))
    of_folder = load(DatasetRef.parse(f"dir:{tmp_path}/folder"))
    assert of_tar.info.fingerprint == of_folder.info.fingerprint
    one, other = (set(content_hashes(s.test.inputs)) for s in (of_tar, of_folder))
    assert one == other


def test_json_names_labels_groups_and_splits(tmp_path):
    def members():
        for i in range(30):
            about = {
                "label": "ab"[i % 2],
                "camera": f"c{i % 5}",
                "half": 0.5,
                "x": None,
            }
            about["part"] = "test" if i % 5 == 0 else "train"
            yield f"{i}.jpg", png(i, "JPEG")
            yield f"{i}.json", json.dumps(about).encode()

    tar(tmp_path / "x.tar", members())
    found = examples(f"tar:{tmp_path}/x.tar?group=camera&split=part")
    assert found.class_names == ("a", "b")
    assert set(found.groups) == {f"c{i}" for i in range(5)}
    assert set(found.splits) == {"train", "test"}


def test_lists_are_several_labels_and_texts_are_read(tmp_path):
    rows = [["a"], ["a", "b"], [], ["b"]] * 3
    members = []
    for i, labels in enumerate(rows):
        members.append((f"{i}.txt", f"some words {i}\n".encode()))
        members.append((f"{i}.json", json.dumps({"label": labels}).encode()))
    tar(tmp_path / "x.tar", members)
    found = read(DatasetRef.parse(f"tar:{tmp_path}/x.tar"), "multi_label")
    assert found.inputs.values[2] == b"some words 2"
    assert found.labels.sum(axis=0).tolist() == [6, 6]


def test_kinds_of_images_may_be_mixed(tmp_path):
    members = [("a.png", png(0)), ("a.cls", b"0"), ("b.JPG", png(1, "JPEG"))]
    tar(tmp_path / "x.tar", [*members, ("b.cls", b" 1\n")])
    assert len(examples(f"tar:{tmp_path}/x.tar")) == 2


@pytest.mark.parametrize(
    ("members", "options", "words"),
    [
        ([("a.png", png(0))], "", "Say which one is the label"),
        ([("a.cls", b"0")], "", "Say which one is the text"),
        ([("a.png", png(0)), ("a.cls", b"daisy")], "", "a .cls is a whole number"),
        ([("a.png", png(0)), ("a.json", b"{")], "", "is not JSON"),
        ([("a.png", png(0)), ("a.json", b"[1]")], "", "is not an object"),
        (
            [("a.png", png(0)), ("a.cls", b"0"), ("a.cls", b"1")],
            "",
            "gives 'cls' a second time",
        ),
        (
            [("a.png", png(0)), ("a.cls", b"0"), ("b.png", png(1))],
            "",
            "Record 1 of .* has no key 'cls'",
        ),
        (
            [("a.png", png(0)), ("a.cls", b"0"), ("b.cls", b"1")],
            "",
            "Record 1 of .* has no key 'image'",
        ),
        ([("a.png", png(0)), ("a.cls", b"0")], "?label=name", "which one is the label"),
        ([], "", "has no sample"),
    ],
)
def test_samples_that_lack_something_are_named(tmp_path, members, options, words):
    tar(tmp_path / "x.tar", members)
    with pytest.raises(DataError, match=words):
        examples(f"tar:{tmp_path}/x.tar{options}")


def test_files_that_are_cut_or_compressed_are_named(tmp_path):
    whole = tar(tmp_path / "whole.tar", images(20)).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:3000])
    (tmp_path / "other.tar").write_bytes(b"no tar file" * 100)
    tar(tmp_path / "small.tar", images(2), "w:gz")
    for name in ("cut", "other", "small"):
        with pytest.raises(DataError, match=r"cannot be read as a tar file.*\.tar\.gz"):
            examples(f"tar:{tmp_path}/{name}.tar")
    with pytest.raises(DataError, match="Check the path after 'tar:'"):
        examples(f"tar:{tmp_path}/none*.tar")


def test_links_are_refused(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        link = tarfile.TarInfo("a.png")
        link.type, link.linkname = tarfile.SYMTYPE, "../../secret"
        archive.addfile(link)
    with pytest.raises(DataError, match="is a link or another special file"):
        examples(f"tar:{tmp_path}/x.tar")
