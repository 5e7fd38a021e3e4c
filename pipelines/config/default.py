"""The configuration of a run that names no file: every field at its default."""

from pipelines.config import RunConfig


def get_config() -> RunConfig:
    """The default config."""
    return RunConfig()
