"""A file is hashed in pieces, to the digest of its whole content."""

import hashlib

import pytest

from zoo.storage.hashing import hash_file


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_hash_file_gives_the_digest_of_all(tmp_path, algorithm, size):
    content = bytes(i % 251 for i in range(size))
    path = tmp_path / "file"
    path.write_bytes(content)
    expected = hashlib.new(algorithm, content).hexdigest()
    assert hash_file(path, algorithm) == expected
