"""A student of a finished run: trained alone, then with the teacher, and compared."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.comparison.compare import Comparison, compare
from pipelines.comparison.text import as_page
from pipelines.config import RunConfig, checked
from pipelines.config.saved import read_config
from pipelines.distillation.choice import ALONE, DISTILLED, Choice, choose
from pipelines.errors import ConfigError
from pipelines.run import run
from zoo.storage import durable

RECORD, PAGE = "distil.json", "distil.html"

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True)
class Distilled:
    """A student trained alone and with a teacher: the choice, and a paired comparison.

    `comparison` has the student alone first, then the teacher and the student
    distilled, on the test examples. `artifact_dir` is of the student that is kept.
    """

    workdir: Path
    choice: Choice
    comparison: Comparison
    artifact_dir: Path

    @property
    def kept(self) -> str:
        """`alone` or `distilled`."""
        return self.choice.kept

    def values(self) -> dict[str, Any]:
        """The values of `distil.json`."""
        return {
            "workdir": str(self.workdir),
            "choice": self.choice.values(),
            "comparison": self.comparison.values(),
            "artifact": str(self.artifact_dir),
        }


def distil(teacher: Path, config: RunConfig) -> Distilled:
    """Trains a student twice, and leaves both runs and their comparison.

    `config` is of the student; its folder gets the runs `alone` and `distilled`, which
    differ in `config.distil` alone, `distil.json` and the page `distil.html`. The same
    call goes on where it was interrupted, and takes a run that is finished as it is.

    Raises:
        ConfigError, DataError, BackboneError, TrainingError, ArtifactError: see `run`.
    """
    config = checked(config)
    if config.overwrite:
        raise ConfigError(
            "config.overwrite is set, and distilling goes on with the runs that it"
            " finds. Name another workdir, or remove the folder."
        )
    workdir = Path(config.workdir)
    taught = dataclasses.replace(config.distil, teacher=str(teacher))
    runs = {
        # First what can be refused: the teacher is checked before it trains.
        DISTILLED: dataclasses.replace(config, distil=taught),
        ALONE: dataclasses.replace(config, distil=type(taught)()),
    }
    published = {
        name: _finished(dataclasses.replace(of, workdir=str(workdir / name)))
        for name, of in runs.items()
    }
    choice = choose(workdir / ALONE, workdir / DISTILLED)
    comparison = compare([workdir / ALONE, teacher, workdir / DISTILLED])
    done = Distilled(workdir, choice, comparison, published[choice.kept])
    _write(done)
    return done


def _finished(config: RunConfig) -> Path:
    """Runs a config, unless it has finished; gives the artifact."""
    folder = Path(config.workdir)
    report = folder / "report.json"
    if report.is_file() and _config_of(folder) == config:
        _logger.info("%s is finished, and taken as it is", folder)
        path: str = json.loads(report.read_text())["artifact"]
        return folder / "artifact" / Path(path).name
    return run(config).artifact_dir


def _config_of(folder: Path) -> RunConfig:
    """The config of a run folder, which may have been moved."""
    return dataclasses.replace(read_config(folder / "config.json"), workdir=str(folder))


def _write(done: Distilled) -> None:
    values: Mapping[str, Any] = done.values()
    text = json.dumps(values, indent=2) + "\n"
    durable.write_whole(done.workdir / RECORD, [text.encode("ascii")])
    page = as_page(done.comparison)
    durable.write_whole(done.workdir / PAGE, [page.encode("ascii")])
