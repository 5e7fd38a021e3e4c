"""The section of training has curves where epochs were trained, and the receipt."""

import dataclasses

from pipelines.report.sections.training import training


def test_training_has_curves_of_both_measures(files):
    values = training(files)
    assert len(values["curves"]) == 2
    assert "Loss over" in values["curves"][0]
    assert "Accuracy over" in values["curves"][1]
    assert len(values["epochs"].rows) == len(files.history)


def test_training_without_epochs_has_no_curve(files):
    report = {**files.report, "phases": []}
    values = training(dataclasses.replace(files, history=[], report=report))
    assert (values["curves"], values["epochs"], values["phases"]) == ([], None, None)


def test_receipt_names_blocks_that_moved_though_frozen(files):
    change = dict.fromkeys(
        ("largest_change", "relative_change", "statistics_change"), 0.0
    )
    frozen = {"block": "stem", "trainable": False, **change}
    report = {**files.report, "receipt": {"head": [frozen]}}
    ((kept, _),) = training(dataclasses.replace(files, report=report))["receipts"]
    assert kept.endswith("1 of 1 parts were frozen and moved by exactly 0")
    frozen["largest_change"] = 0.5
    ((broken, _),) = training(dataclasses.replace(files, report=report))["receipts"]
    assert broken.endswith("stem moved though frozen")


def test_training_shows_the_spread_of_folds(files):
    assert training(files)["folds"] is None
    scores = {
        "count": 2,
        "metric": "accuracy",
        "mean": 0.9,
        "standard_deviation": 0.05,
        "per_fold": [0.85, 0.95],
        "examples": [20, 21],
    }
    run = dataclasses.replace(files, report={**files.report, "folds": scores})
    sentence, table = training(run)["folds"]
    assert sentence.startswith("2 folds: accuracy 0.9000 on average")
    assert table.rows == [("1", 0.85, 20), ("2", 0.95, 21)]
