"""Writes the table of backbones between the two markers of a Markdown file.

Command: make docs
"""

from __future__ import annotations

import sys
from pathlib import Path

import zoo

BEGIN = "<!-- backbones: written by docs/backbone_table.py -->"
END = "<!-- end of backbones -->"


def table() -> str:
    """The catalog as a Markdown table."""
    lines = [
        "| backbone | input, px | smallest | width | parameters | blocks | top-1 |"
        " licence |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in zoo.list_backbones(modality="image"):
        spec = zoo.get_spec(name)
        top1 = "-" if spec.imagenet_top1 is None else f"{spec.imagenet_top1:.1%}"
        cells = (
            f"`{spec.name}`",
            spec.input.default_size_px,
            spec.input.minimum_size_px,
            spec.feature_width,
            "-" if spec.parameters is None else f"{spec.parameters:,}",
            len(spec.blocks),
            top1,
            spec.license,
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def with_table(text: str) -> str:
    """The text with everything between the markers replaced by the table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(with_table(page.read_text()))
