import pytest

from pipelines.cli import main


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ([], 2, "arguments are required: REF, --to"),
        (["digits", "--to=out"], 3, "is not a data reference"),
        (["builtin:digits", "--to=out", "--shards=x"], 2, "invalid int value"),
    ],
)
def test_shard_wrong_usage_has_its_code(capsys, flags, code, message):
    assert main(["shard", *flags]) == code
    assert message in capsys.readouterr().err
