"""The errors a caller of `pipelines` may want to catch, one class per exit code."""

# The beginning of a message has the fault, and the end the remedy.
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
            *(bounded(text) if isinstance(text, str) else text for text in arguments)
        )


class ConfigError(_BoundedError, ValueError):
    """The configuration or the command cannot be carried out as written."""


class DataError(_BoundedError, ValueError):
    """The data cannot be used as they are; the message names the file or the class."""


class ChangedFilesError(DataError):
    """Files changed or broke after they were checked."""


class ArtifactError(_BoundedError, RuntimeError):
    """An artifact could not be written, verified or read."""


class TrainingError(_BoundedError, RuntimeError):
    """Training ran and its result cannot be trusted."""


class GateError(TrainingError):
    """A model does not reach what `config.export` asks of it, and is not published."""
