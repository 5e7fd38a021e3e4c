"""Wrong usage of `zoo serve` is said at once, before anything is loaded."""

import pytest

from pipelines.cli import main


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ([], 2, "a BASE folder, or --model-config FILE, and not both"),
        (["{base}", "--model-config", "x"], 2, "and not both"),
        (["--model-config", "x", "--name", "y"], 2, "--name goes with BASE"),
        (["{base}", "--tls-key", "key.pem"], 2, "both --tls-certificate and --tls-key"),
        (["{base}", "--no-batching", "--batching-parameters", "x"], 2, "exclude"),
        (["{base}/nowhere"], 4, "is no folder"),
        (["{base}/1"], 4, "is one version; serve the folder that it is in"),
        (["{base}", "--json"], 2, "unrecognized arguments: --json"),
    ],
)
def test_wrong_usage(tmp_path, capsys, flags, code, message):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    given = [flag.format(base=tmp_path) for flag in flags]
    assert main(["serve", *given]) == code
    assert message in capsys.readouterr().err
