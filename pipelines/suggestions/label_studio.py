"""Label Studio's JSON: tasks with our answers out, and labels of people in.

https://labelstud.io/guide/tasks and https://labelstud.io/guide/export
"""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.display.text import shown
from pipelines.errors import DataError
from pipelines.suggestions.suggest import Suggestions

# Where Label Studio serves files of a folder that it was given.
LOCAL_FILES = "/data/local-files/?d="
_CONTROL = {"image": "Image", "text": "Text", "sound": "Audio"}
_AS_JSON = "Export it from Label Studio as JSON (not JSON-MIN)."


@dataclasses.dataclass(frozen=True)
class Labels:
    """The labels of people by the name of the example, in the order of the file.

    `column` says if names are those of a `file` or the `text` itself. `skipped` counts
    tasks without a label, and `unlike` names examples that two people gave different
    labels.
    """

    labels: Mapping[str, str]
    column: str
    skipped: int
    unlike: tuple[str, ...]


def tasks(suggestions: Suggestions, *, prefix: str = LOCAL_FILES) -> str:
    """The suggestions as tasks to import, each with the answer of now.

    Files are named `prefix` and their name, as an address.
    """
    kind = suggestions.modality
    rows = []
    for row, item in zip(suggestions.rows, suggestions.items):
        data = {kind: f"{prefix}{urllib.parse.quote(row.name)}", "name": row.name}
        if item.text is not None:
            data = {kind: item.text.decode()}
        rows.append(
            {
                "data": data,
                "predictions": [
                    {
                        "model_version": suggestions.artifact[:12],
                        "score": row.confidence,
                        "result": [
                            {
                                "from_name": "label",
                                "to_name": kind,
                                "type": "choices",
                                "value": {"choices": [row.predicted]},
                            }
                        ],
                    }
                ],
            }
        )
    return json.dumps(rows, indent=1) + "\n"


def interface(suggestions: Suggestions) -> str:
    """The labelling interface for these tasks, as XML to paste."""
    kind = suggestions.modality
    choices = "".join(
        f'    <Choice value="{_escaped(name)}"/>\n' for name in suggestions.class_names
    )
    return (
        f'<View>\n  <{_CONTROL[kind]} name="{kind}" value="${kind}"/>\n'
        f'  <Choices name="label" toName="{kind}" choice="single" required="true">\n'
        f"{choices}  </Choices>\n</View>\n"
    )


def _escaped(text: str) -> str:
    for character, entity in (("&", "amp"), ("<", "lt"), (">", "gt"), ('"', "quot")):
        text = text.replace(character, f"&{entity};")
    return text


def read(path: Path) -> Labels:
    """The labels in an export of Label Studio.

    An example that two people gave different labels is left out.

    Raises:
        DataError: if the file is not such an export, or a task names no example.
    """
    labels: dict[str, str] = {}
    unlike: dict[str, None] = {}
    skipped = 0
    tasks = _tasks(path)
    for number, task in enumerate(tasks, start=1):
        name, chosen = _name(task, path, number), _choices(task, path, number)
        if name in labels:
            chosen.add(labels.pop(name))
        if len(chosen) > 1:
            unlike[name] = None
        elif name not in unlike and chosen:
            labels[name] = chosen.pop()
        skipped += not chosen and name not in labels and name not in unlike
    column = "text" if "text" in tasks[0]["data"] else "file"
    return Labels(labels, column, skipped, tuple(unlike))


def _tasks(path: Path) -> Sequence[Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path} cannot be read as JSON: {error}. {_AS_JSON}"
        ) from error
    if not isinstance(values, list) or not values:
        raise DataError(f"{path} holds no list of tasks. {_AS_JSON}")
    return values


def _name(task: Any, path: Path, number: int) -> str:
    """The name of the example of a task, or the end of its address."""
    data = task.get("data") if isinstance(task, dict) else None
    values = data if isinstance(data, dict) else {}
    for key in ("name", "text"):
        if isinstance(values.get(key), str) and values[key]:
            return values[key]
    address = next(
        (values[kind] for kind in ("image", "sound") if kind in values), None
    )
    if not isinstance(address, str) or not address:
        raise DataError(
            f"{path}, task {number}, has no `data` with a name or an address of a file."
            f" {_AS_JSON}"
        )
    parsed = urllib.parse.urlsplit(address)
    place = urllib.parse.parse_qs(parsed.query).get("d", [parsed.path])[0]
    return urllib.parse.unquote(place).lstrip("/")


def _choices(task: Mapping[str, Any], path: Path, number: int) -> set[str]:
    """The different labels that people gave a task; none if all left it out."""
    annotations = task.get("annotations")
    if not isinstance(annotations, list):
        raise DataError(
            f"{path}, task {number}, has no list of `annotations`. {_AS_JSON}"
        )
    return {
        label
        for annotation in annotations
        for label in _chosen(annotation, f"{path}, task {number}")
    }


def _chosen(annotation: Any, place: str) -> Iterator[str]:
    if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
        return
    for result in annotation.get("result") or ():
        value = result.get("value") if isinstance(result, dict) else None
        choices = value.get("choices") if isinstance(value, dict) else None
        if choices is None:
            continue
        is_one = isinstance(choices, list) and len(choices) == 1
        if not is_one or not isinstance(choices[0], str) or not choices[0].strip():
            raise DataError(
                f"{place}, has the choices {shown(str(choices))[:60]}, and an example"
                " has one class. Label it again with one choice."
            )
        yield choices[0]
