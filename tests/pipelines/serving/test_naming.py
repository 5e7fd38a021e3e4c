"""The digest of class names differs for other names."""

from pipelines.serving import naming


def test_digest_depends_on_names_and_order():
    names = [["cat", "dog"], ["dog", "cat"], ["cat", "dog", ""], ["cat,dog"], []]
    assert len({naming.digest(one) for one in names}) == len(names)
    assert naming.digest(("cat", "dog")) == naming.digest(["cat", "dog"])


def test_digest_fits_a_header():
    digest = naming.digest(["katzen ü", "犬"])
    assert digest.isascii()
    assert len(digest) == 32
