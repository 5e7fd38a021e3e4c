from pathlib import Path

import pytest

from pipelines import main as entry
from pipelines.main import main


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_field(flag, capsys):
    assert main([flag]) == 0
    printed = capsys.readouterr().out
    assert "--config=FILE" in printed
    assert (
        "--config.finetune.batchnorm=frozen  one of frozen, trained, reestimated"
        in printed
    )


def test_usage_errors_are_found_before_tensorflow_is_imported(fresh_process):
    code = (
        "import sys; from pipelines.main import main; code = main(sys.argv[1:]);"
        " print(code, {'tensorflow', 'keras'} & set(sys.modules))"
    )
    for flags, message in (
        (["--config.sed=3"], "zoo: There is no config.sed."),
        (["--config.data=dir:x"], "zoo: config.workdir is empty."),
        (
            ["--config.data=dir:x", "--config.workdir=y", "--config.strategy=z"],
            "zoo: config.strategy is 'z'; allowed: auto,",
        ),
    ):
        ended = fresh_process(code, *flags)
        assert ended.stdout == "2 set()\n"
        assert ended.stderr.startswith(message)


def test_a_run_through_the_entry_point(tiny_flags, tmp_path, capsys):
    assert main(tiny_flags) == 0
    printed = capsys.readouterr().out
    assert "test accuracy" in printed
    assert str(tmp_path / "run" / "artifact" / "1") in printed
    assert (tmp_path / "run" / "report.json").is_file()


def test_the_entry_point_stays_short():
    assert len(Path(entry.__file__).read_text().splitlines()) < 80
