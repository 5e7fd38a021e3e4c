"""The terms of a download name what is known of a file."""

from zoo.storage.terms import Expected


def test_digests_are_the_known_ones():
    assert Expected().digests == {}
    assert Expected(sha256="ab").digests == {"sha256": "ab"}
    assert Expected(sha256="ab", md5="cd").digests == {"sha256": "ab", "md5": "cd"}
