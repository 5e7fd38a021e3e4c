"""Files of word vectors of every form are read, and damaged ones name the line."""

import gzip

import numpy as np
import pytest

from zoo.errors import BackboneError
from zoo.weights import vectors_file

PLAIN = "the 1 0 0.5\ncat 0 2 -1e-1\nsat 0.25 0 3\n, 0 0 7\n"
ROWS = np.array([[1, 0, 0.5], [0, 2, -0.1], [0.25, 0, 3], [0, 0, 7]], np.float32)
NAMES = ("the", "cat", "sat", ",")


@pytest.fixture
def write(tmp_path):
    def write(content, name="vectors.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("glove.txt", PLAIN.encode()),
        ("no_end.txt", PLAIN.rstrip().encode()),
        ("fasttext.vec", b"4 3\n" + PLAIN.replace("\n", " \n").encode()),
        ("windows.txt", PLAIN.replace("\n", "\r\n").encode()),
        ("tabs.tsv", PLAIN.replace(" ", "\t").encode()),
        ("glove.txt.gz", gzip.compress(PLAIN.encode())),
        ("fasttext.vec.gz", gzip.compress(b"4 3\n" + PLAIN.encode())),
    ],
)
def test_every_form_gives_the_same(write, name, content):
    path = write(content, name)
    vectors = vectors_file.read_word_vectors(path)
    assert vectors.words == NAMES == vectors_file.read_words(path)
    np.testing.assert_array_equal(vectors.vectors, ROWS)
    assert vectors.vectors.dtype == np.float32


def test_words_of_the_web(write):
    """GloVe has words with spaces, and words that are numbers."""
    vectors = vectors_file.read_word_vectors(
        write("a 1 2\n. . . 3 4\nat x@y.z 5 6\n7 8 9\nb\u00a0c 1 1\n\u0085 2 2\n")
    )
    assert vectors.words == ("a", ". . .", "at x@y.z", "7", "b\u00a0c", "\u0085")
    assert vectors.vectors[:4].tolist() == [[1, 2], [3, 4], [5, 6], [8, 9]]


def test_number_as_first_word_is_not_a_header(write):
    vectors = vectors_file.read_word_vectors(write("7 0.5\n8 0.25\n"))
    assert vectors.words == ("7", "8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a 1 2\nb 1\n", "Line 2 of .* has 1 numbers, expected 2"),
        ("a 1 2\nb 1 2 3\n", "Line 2 of .* has 3 numbers, expected 2"),
        ("2 3\na 1 2\nb 1 2\n", "Line 2 of .* has 2 numbers, expected 3"),
        ("a 1 2\nb 1 x\n", "Line 2 of .* has 'x' where a number was expected"),
        ("a 1 2\nb 1 nan\n", "Line 2 of .* not finite"),
        ("a 1 2\nb 1 1e99\n", "Line 2 of .* not finite"),
        ("a 1 2\nb 1 2\na 3 4\n", "Line 3 of .* has 'a', as has line 1"),
        ("a 1 2\n\nb 1 2\n", "Line 2 of .* has 0 numbers, expected 2"),
        ("a 1 2\n 1 2\n", "Line 2 of .* has no word"),
        ("word\n", "Line 1 of .* has no numbers"),
        ("3 2\na 1 2\nb 1 2\n", "says .* 3 words, but it has 2. It was cut"),
        ("1 2\na 1 2\nb 1 2\n", "says .* 1 words, but it has 2"),
        ("", "no word vectors"),
        ("3 2\n", "no word vectors"),
        (b"a 1 2\n\xff 1 2\n", "Line 2 of .* is not UTF-8"),
        (b"\0" * (2 << 20), "Line 1 of .* is longer than 1,048,576 bytes"),
    ],
)
def test_a_damaged_file_names_the_line(write, content, message):
    with pytest.raises(BackboneError, match=message):
        vectors_file.read_word_vectors(write(content))


@pytest.mark.parametrize("kept", [5, 20, -4])
def test_cut_packed_file_is_refused(write, kept):
    whole = gzip.compress(PLAIN.encode())
    assert vectors_file.read_words(write(whole, "whole.gz")) == NAMES
    with pytest.raises(BackboneError, match="cannot be unpacked"):
        vectors_file.read_words(write(whole[:kept], "cut.gz"))


def test_plain_file_named_gz_is_refused(write):
    with pytest.raises(BackboneError, match="cannot be unpacked: Not a gzipped"):
        vectors_file.read_words(write(PLAIN, "vectors.txt.gz"))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(BackboneError, match="cannot be read: No such file"):
        vectors_file.read_words(tmp_path / "none.txt")


def test_file_over_the_limit_is_refused(write):
    path = write(PLAIN)
    with pytest.raises(BackboneError, match="Line 4 of .* more than 36 bytes"):
        vectors_file.read_word_vectors(path, maximum_bytes=3 * 12)
    fits = vectors_file.read_word_vectors(path, maximum_bytes=4 * 12)
    assert len(fits.words) == 4
