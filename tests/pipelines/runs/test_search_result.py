"""The config file of a search is the config that it chose."""

from pipelines.config import RunConfig, differences
from pipelines.config.flags import parse
from pipelines.runs.search_result import config_file


def test_config_file_gives_the_config_again(tmp_path):
    config = RunConfig(data="dir:photos", workdir="runs/search", strategy="full")
    config.finetune.block_decay = 0.7
    path = tmp_path / "best_config.py"
    purpose = "Validation has chosen among 2 trials. " * 4
    path.write_text(config_file(config, purpose, path))
    assert "Command: zoo train --config=best_config.py" in path.read_text()
    assert max(map(len, path.read_text().splitlines())) <= 88
    again = parse([f"--config={path}"])
    # Where it trains is for the one who gives the command.
    left_out = {"workdir"}
    expected = {k: v for k, v in differences(config).items() if k not in left_out}
    assert differences(again) == expected
