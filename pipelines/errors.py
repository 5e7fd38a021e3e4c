"""The errors a caller of `pipelines` may want to catch, one class per exit code."""

# What is read; the beginning says what is wrong, and the end what to do.
_LONGEST = 6000


def bounded(message: str) -> str:
    """The message; of a very long one the beginning and the end."""
    if len(message) <= _LONGEST:
        return message
    left_out = len(message) - _LONGEST
    half = _LONGEST // 2
    return f"{message[:half]} [... {left_out} characters ...] {message[-half:]}"


class _BoundedError(Exception):
    """Names and values from data end in messages: no message outgrows a screen."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(
            *(bounded(one) if isinstance(one, str) else one for one in arguments)
        )


class ConfigError(_BoundedError, ValueError):
    """The configuration or the command cannot be carried out as written."""


class DataError(_BoundedError, ValueError):
    """The data cannot be used as they are; the message names the file or the class."""


class ChangedFilesError(DataError):
    """Files were good when they were checked, and are no longer."""


class ArtifactError(_BoundedError, RuntimeError):
    """An artifact could not be written, verified or read."""


class TrainingError(_BoundedError, RuntimeError):
    """Training ran and its result cannot be trusted."""
