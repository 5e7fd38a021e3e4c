"""Learning curves show the epochs that there are."""

from pipelines.report.plots.learning import learning_curve

HISTORY = [
    {"phase": "head", "loss": 1.0, "val_loss": 1.1, "accuracy": 0.5},
    {"phase": "head", "loss": 0.5, "val_loss": 0.75, "accuracy": 0.8},
    {"phase": "blocks", "loss": 0.25, "val_loss": None, "accuracy": 0.9},
]


def test_curve_names_first_and_last_values():
    plot = learning_curve(HISTORY, "loss")
    assert "training from 1.0000 to 0.2500; validation from 1.1000 to 0.7500" in plot
    assert "over 3 epochs" in plot
    assert ">blocks</text>" in plot


def test_missing_validation_leaves_a_line_out():
    plot = learning_curve(HISTORY, "accuracy")
    assert "training from 0.5000" in plot
    assert "validation" not in plot


def test_unknown_measure_has_no_curve():
    assert learning_curve(HISTORY, "error") is None
    assert learning_curve([], "loss") is None


def test_single_epoch_has_a_curve():
    assert "from 1.0000 to 1.0000" in learning_curve(HISTORY[:1], "loss")
