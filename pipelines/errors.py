"""The errors a caller of `pipelines` may want to catch, one class per exit code."""


class ConfigError(ValueError):
    """The configuration or the command cannot be carried out as written."""


class DataError(ValueError):
    """The data cannot be used as they are; the message names the file or the class."""


class ChangedFilesError(DataError):
    """Files were good when they were checked, and are no longer."""


class ArtifactError(RuntimeError):
    """An artifact could not be written, verified or read."""


class TrainingError(RuntimeError):
    """Training ran and its result cannot be trusted."""
