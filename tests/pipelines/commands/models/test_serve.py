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
        (["{base}/nowhere"], 4, "is not a folder"),
        (["{base}/1"], 4, "is one version; serve the folder that it is in"),
        (["{base}", "--json"], 2, "unrecognized arguments: --json"),
        (
            ["{base}", "--rest-port", "99999"],
            2,
            "--rest-port=99999 is not a port; ports",
        ),
        (["{base}", "--grpc-port", "-1"], 2, "--grpc-port=-1 is not a port"),
        (["{base}", "--grpc-port", "8501"], 2, "are both 8501; each needs one of"),
        (["{base}", "--client-share", "0"], 2, "must be more than 0 and at most 1"),
        (["{base}", "--client-share", "1.1"], 2, "must be more than 0 and at most 1"),
        (["{base}", "--min-body-rate", "-1"], 2, "must be 0, for none, or more"),
        (["{base}", "--min-body-rate", "nan"], 2, "must be 0, for none, or more"),
        (["{base}", "--max-in-flight", "0"], 2, "--max-in-flight=0 must be more than"),
        (["{base}", "--timeout-seconds", "inf"], 2, "--timeout-seconds=inf must be"),
        (["{base}/run"], 4, "It looks like a run: try {base}/run/artifact."),
        (["{base}/unfinished"], 4, "looks like a run that has published nothing"),
    ],
)
def test_wrong_usage(tmp_path, capsys, flags, code, message):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    (tmp_path / "run" / "artifact" / "1").mkdir(parents=True)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "config.json").touch()
    given = [flag.format(base=tmp_path) for flag in flags]
    assert main(["serve", *given]) == code
    assert message.format(base=tmp_path) in capsys.readouterr().err
