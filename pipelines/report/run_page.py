"""The page of a run, `report.html`: one file to read, to look through and to show.

Made of the plain files of the run folder. It needs no network; its only script is the
one of this package, which the page names by its hash, and texts from the data, such as
the names of classes, are escaped.
"""

from __future__ import annotations

from pipelines.display.html import document
from pipelines.report import measures_page
from pipelines.report.plots.svg import NO_MATPLOTLIB
from pipelines.report.run_files import RunFiles
from pipelines.report.sections.advice import advice
from pipelines.report.sections.calibration import calibration
from pipelines.report.sections.classes import classes
from pipelines.report.sections.cost import artifact, cost
from pipelines.report.sections.data import data
from pipelines.report.sections.examples import examples
from pipelines.report.sections.matrix import matrices
from pipelines.report.sections.plan import plan
from pipelines.report.sections.result import result
from pipelines.report.sections.settings import settings
from pipelines.report.sections.training import training

FILE_NAME = "report.html"
# The errors of a page from files that lack an entry, or hold one of another type.
DO_NOT_FIT = (KeyError, TypeError, ValueError, AttributeError, IndexError)


def page(run: RunFiles) -> str:
    """The page as HTML, in ASCII.

    Raises:
        One of `DO_NOT_FIT`: if a file lacks an entry, or has one of another type,
            because another version wrote it.
    """
    report = run.report
    if "per_class" not in report["test"]:  # no example has one class of its own
        return measures_page.page(run)
    return document(
        "run.html",
        script="run.js",
        title=f"{report['backbone']['name']} on {report['data']['reference']}",
        backbone=report["backbone"]["name"],
        reference=report["data"]["reference"],
        no_plot=NO_MATPLOTLIB,
        result=result(run),
        advice=advice(run),
        examples=examples(run),
        matrix=matrices(run),
        classes=classes(run),
        training=training(run),
        calibration=calibration(run),
        plan=plan(run),
        data=data(run),
        cost=cost(run),
        artifact=artifact(run),
        settings=settings(run),
    )
