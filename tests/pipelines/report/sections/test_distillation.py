"""The section of a teacher."""

import dataclasses

from pipelines.report.sections.distillation import distillation


def test_runs_without_a_teacher_have_no_section(files):
    assert distillation(files) is None


def test_section_has_teacher_and_counts(files):
    record = {
        "teacher": "runs/large",
        "backbone": "vgg16",
        "temperature": 2.0,
        "weight": 0.9,
        "examples": 80,
        "unlabelled": 40,
        "training_accuracy": 0.99,
        "mean_confidence": 0.97,
    }
    report = {**files.report, "distillation": record}
    values = distillation(dataclasses.replace(files, report=report))
    assert "runs/large (vgg16)" in values["sentence"]
    assert [row[1] for row in values["table"].rows] == [80, 40, 0.99, 0.97, 2.0, 0.9]
