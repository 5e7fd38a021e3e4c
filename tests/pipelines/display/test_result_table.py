from pipelines.display.result_table import result_table

REPORT = {
    "test": {"accuracy": 0.98765, "balanced_accuracy": 0.97, "examples": 750},
    "validation": {"accuracy": 0.9, "balanced_accuracy": 0.8, "examples": 40},
    "phases_skipped": ["last"],
    "phases_not_needed": ["middle"],
    "phases": [
        {
            "name": "head",
            "kept": True,
            "accuracy_before": 0.5,
            "accuracy_after": 0.75,
            "solved": True,
        },
        {
            "name": "rest",
            "kept": False,
            "accuracy_before": 0.75,
            "accuracy_after": 0.75,
            "solved": False,
        },
    ],
    "calibration": {
        "test": {
            "before": {"calibration_error": 0.0612},
            "after": {"calibration_error": 0.0149},
            "accepted": 0.936,
        }
    },
    "baselines": {"commonest_class": 0.11},
    "plan": {"action": "auto", "reason": "Because."},
    "compute": {"precision": "float32", "xla": False, "reason": "So it is."},
    "parity": {"largest_difference": 2e-7},
    "seconds": {"obtain": 1.23, "total": 4.56},
    "images_per_second": 123.4,
    "peak_memory_bytes": 1_500_000_000,
    "artifact": "runs/photos/artifact/1",
}


def test_a_result_says_quality_cost_and_place():
    lines = result_table(REPORT).strip().splitlines()
    values = {line[:19].strip(): line[19:].strip() for line in lines}
    assert values["test accuracy"] == "0.9877 on 750 examples (0.9700 balanced)"
    assert values["validation accuracy"] == "0.9000 on 40 examples (0.8000 balanced)"
    assert values["phases"].split("; ") == [
        "head 0.5000 solved in closed form, trained to 0.7500",
        "rest 0.7500, training gained nothing more",
        "middle left out, as validation has too little wrong to show a gain",
        "last skipped, no time left",
    ]
    assert values["calibration"] == (
        "error on test 0.0612 before, 0.0149 after; 93.6% of test accepted"
    )
    assert values["plan"] == "auto; its reasons are in report.json"
    assert values["without a network"] == "commonest class 0.1100"
    assert values["parity"] == "largest difference 2.0e-07"
    assert values["seconds"] == "obtain 1.2, total 4.6"
    assert values["images per second"].startswith("123")
    assert values["peak memory"] == "1.50 GB"
    assert values["artifact"] == "runs/photos/artifact/1"


def test_result_of_a_solved_head_names_no_phase():
    lines = result_table(
        {**REPORT, "phases": [], "phases_skipped": [], "phases_not_needed": []}
    ).splitlines()
    assert any(
        line.split() == ["phases", "none:", "no", "step", "was", "trained"]
        for line in lines
    )
    assert any(line.endswith("123 while measuring") for line in lines)


def test_a_result_says_why_nothing_was_calibrated():
    reason = (
        "19 held-out examples are too few; 20 are needed. Every answer is accepted:"
        " calibration.coverage=0.8 and in_distribution=0.99 are not applied."
    )
    calibration = REPORT["calibration"] | {"method": "none", "reason": reason}
    table = result_table(REPORT | {"calibration": calibration})
    assert f"error on test 0.0149, not calibrated: {reason} 93.6% of test" in table
