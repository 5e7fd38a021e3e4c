import pytest

from pipelines.errors import ConfigError, DataError, bounded


def test_bounded_long_message_keeps_both_ends():
    message = "begin " + "x" * 20_000 + " end"
    short = bounded(message)
    assert len(short) < 6100
    assert short.startswith("begin ")
    assert short.endswith(" end")
    assert "characters ..." in short
    assert bounded("short") == "short"


@pytest.mark.parametrize("kind", [ConfigError, DataError])
def test_errors_bound_their_messages(kind):
    assert len(str(kind("x" * 20_000))) < 6100
    assert kind(3).args == (3,)
