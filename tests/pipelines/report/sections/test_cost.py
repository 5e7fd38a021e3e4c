"""Cost and artifact are those of the report."""

from pipelines.report.sections.cost import artifact, cost


def test_cost_has_every_stage(files):
    values = cost(files)
    stages = [row[0] for row in values["stages"].rows]
    assert stages == list(files.report["seconds"])
    assert "gallery" in stages
    assert "seconds in" in values["plot"]


def test_artifact_has_its_proof(files):
    values = artifact(files)
    assert values["path"] == files.report["artifact"]
    assert values["parity"]["largest_difference"] <= values["parity"]["tolerance"]
