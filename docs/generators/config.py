"""The reference of the config, from the declarations of its fields."""

from __future__ import annotations

from pipelines.config import OPTIONS, RunConfig, to_dict
from pipelines.config.flags import field_groups
from pipelines.display.records import dotted

from .markdown import code


def page() -> str:
    """A section for each group, and in it one for each field."""
    parts = []
    for title, paths in field_groups():
        parts.append(f"## {title.rstrip(':')}")
        parts += map(section, paths)
    return "\n\n".join(parts)


def section(path: str) -> str:
    """The sentence of a field, its type, default, and what is allowed."""
    option, default = OPTIONS[path], dotted(to_dict(RunConfig()))[path]
    facts = [f"Type: {code(type(default).__name__)}", f"Default: {_shown(default)}"]
    if option.choices:
        facts.append(f"One of: {', '.join(map(code, option.choices))}")
    elif option.bounds:
        low, high = (f"{bound:.10g}" for bound in option.bounds)
        facts.append(f"Allowed: {low} to {high}")
    lines = "\n".join(f"* {fact}" for fact in facts)
    return f"### config.{path}\n\n{option.help}\n\n{lines}"


def _shown(default: object) -> str:
    return "empty" if default in ("", ()) else code(str(default))
