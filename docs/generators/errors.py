"""The reference of exit codes and errors: each by its first words, with what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipelines.runtime import exit_codes as codes
from pipelines.serving.server.errors import Code, ServingError

from .markdown import code, plain, table
from .messages import Message, error_classes, messages
from .remedies import advice

# The families of errors that end a command, and their headings.
FAMILIES = {
    "ConfigError": "Wrong usage or config",
    "DataError": "Data",
    "BackboneError": "Backbone and weights",
    "ArtifactError": "Artifact",
    "TrainingError": "Training",
}
_SERVER = {"ServingError": "", "invalid": "INVALID_ARGUMENT", "not_found": "NOT_FOUND"}
_CODE_MEANS = {
    codes.DONE: "Done; also if the reader of a pipe has seen enough, as `head` has.",
    codes.UNEXPECTED: (
        "An error that nobody expected. `--debug` shows where; please report it."
    ),
    2: "Wrong usage or config: nothing was done.",
    3: "The data cannot be used as they are. `zoo check` ends with it, too.",
    4: "A backbone, its weights or an artifact cannot be used.",
    5: (
        "Training failed, its result cannot be trusted, or the model does not pass the"
        " quality gate and is not published."
    ),
    codes.HUNG_UP: (
        "The terminal was closed (SIGHUP); the same command resumes the run."
    ),
    codes.INTERRUPTED: "Interrupted (Ctrl+C); the same command resumes the run.",
    codes.TERMINATED: "Terminated (SIGTERM); the same command resumes the run.",
}


def exit_codes() -> str:
    """A table of the exit codes."""
    return table(("code", "means"), [(str(c), text) for c, text in _CODE_MEANS.items()])


def page() -> str:
    """All errors that end a command, in families."""
    bases = error_classes()
    kinds = {name: family_of(name, bases) for name in bases}
    everything = messages({name: family for name, family in kinds.items() if family})
    parts = []
    for family, heading in FAMILIES.items():
        number = next(n for kind, n in codes.CODES.items() if kind.__name__ == family)
        names = sorted(name for name in kinds if kinds[name] == family)
        parts.append(f"## {heading}: exit code {number}")
        parts.append(f"In Python: {', '.join(map(code, names))}.")
        parts += [_entry(m) for m in everything if kinds[m.error] == family]
    return "\n\n".join(parts)


def server_page() -> str:
    """The errors that a server answers, by their codes."""
    rows = []
    for message in messages(_SERVER):
        status = _SERVER[message.error] or message.detail
        http = (
            ServingError(Code[status], "").http_status
            if status in Code.__members__
            else status
        )
        rows.append((str(http), status, plain(message.text)))
    rows.sort(key=lambda row: row[0])
    return table(("HTTP", "gRPC", "message"), rows)


def family_of(name: str, bases: Mapping[str, str]) -> str:
    """The family that a class of errors is in; empty if in none."""
    while name in bases and name not in FAMILIES:
        name = bases[name]
    return name if name in FAMILIES else ""


def _entry(message: Message) -> str:
    remedy = advice(message)
    # Advice by hand is MyST already; advice from a message is plain text.
    text = plain(message.advice) if message.advice else remedy
    text = text[:1].upper() + text[1:]
    place = re.sub(r"\.py$", "", message.place)
    return f"{code(message.first_words)}\n: {text}\n: From {code(place)}."
