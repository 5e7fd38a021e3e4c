"""Jobs for the workers of Apache Beam, each independent of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pipelines.errors import ConfigError

LOCAL = "DirectRunner"


def import_beam(*, otherwise: str = "") -> Any:
    """The package apache_beam.

    Raises:
        ConfigError: if it is not installed; `otherwise` names another way.
    """
    try:
        import apache_beam
    except ImportError as error:
        raise ConfigError(
            f"Shards are written by Apache Beam ({error}). Run: pip install"
            " 'zootune[beam]' && pip install --no-deps 'apache-beam>=2.77,<3'"
            f"{otherwise}."
        ) from None
    return apache_beam


def run_jobs(
    beam: Any,
    jobs: Sequence[Any],
    carry_out: Callable[[Any], object],
    *,
    runner: str,
    options: Sequence[str],
) -> None:
    """Runs each job in a worker of the runner, which gets the options."""
    from apache_beam.options.pipeline_options import PipelineOptions

    settings = PipelineOptions([f"--runner={runner}", *options])
    with beam.Pipeline(options=settings) as pipeline:
        _ = (
            pipeline
            | "jobs" >> beam.Create(jobs)
            # Without it, a runner may give all jobs to one worker.
            | "spread" >> beam.Reshuffle()
            | "carry out" >> beam.Map(carry_out)
        )
