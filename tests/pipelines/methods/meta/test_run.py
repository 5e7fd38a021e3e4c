import json

import keras
import numpy as np

from pipelines.cli import main
from pipelines.methods.meta import comparison
from zootune import LearnedOptimizer


def test_command_leaves_an_optimizer_that_trains(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(comparison, "MARKS", (2,))
    monkeypatch.setattr(comparison, "_RATES", {"sgd": (0.1,)})
    flags = [
        "--backbone",
        "tiny_image",
        "--weights",
        "none",
        "--workdir",
        str(tmp_path),
    ]
    flags += ["--data", "builtin:digits?limit=120", "--ways", "2", "--shots", "3"]
    flags += ["--queries", "2", "--rounds", "1", "--steps", "20"]
    assert main(["meta", *flags, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["classes"] == [5, 5]
    assert [row["peer"] for row in values["comparison"]] == ["sgd"] * 2
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=LearnedOptimizer.load(values["path"]), loss="mse")
    history = model.fit(np.ones((4, 2)), np.ones(4), verbose=0).history
    assert np.isfinite(history["loss"]).all()
    # The same command has nothing left to train; another one is refused.
    assert main(["meta", *flags, "--rounds", "2"]) == 2
    assert "is of other meta-training: setting was" in capsys.readouterr().err
