"""Plain values as YAML, with a comment at the top that says what to do with them."""

from __future__ import annotations

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stand as they are, and nothing is an alias of another."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(values: dict[str, Any], *, comment: str) -> str:
    """One YAML document, its keys in the order that they have."""
    dumped = yaml.dump(
        values, Dumper=_Dumper, sort_keys=False, width=88, allow_unicode=True
    )
    lines = "".join(f"# {line}\n" for line in comment.splitlines())
    return lines + dumped
