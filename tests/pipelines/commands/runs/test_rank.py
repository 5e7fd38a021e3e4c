import pytest

from pipelines.cli import main


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ([], 2, "arguments are required: --data"),
        (["--data=digits"], 3, "is not a data reference"),
        (["--data=builtin:digits", "--backbones=vg16"], 4, "vg16"),
        (["--data=builtin:digits", "--seed=x"], 2, "invalid int value: 'x'"),
    ],
)
def test_rank_wrong_usage_has_its_code(capsys, flags, code, message):
    assert main(["rank", *flags]) == code
    assert message in capsys.readouterr().err
