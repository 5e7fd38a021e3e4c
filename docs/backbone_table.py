"""Writes the tables of backbones in docs/reference from the catalog.

Measurements come from docs/backbone_figures.json, which benchmarks/backbones.py writes.

backbones.md has all of them, networks.md a few.

Command: make docs
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import zoo
from zoo.catalog import CATALOG
from zoo.spec import ImageInput

DOCS = Path(__file__).parent
PAGE = DOCS / "reference" / "backbones.md"
NETWORKS = DOCS / "reference" / "networks.md"
BEGIN = "<!-- backbones: written by docs/backbone_table.py -->"
END = "<!-- end of backbones -->"
NONE = "-"

# The pages that publish accuracies, by source, with exceptions by name.
_KERAS = "https://keras.io/api/applications"
_TOP1_BY_SOURCE = {
    "applications": _KERAS,
    "efficientnet_lite": "https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite",
}
_SLIM = "https://github.com/tensorflow/models/tree/master/research/slim"
_TOP1_BY_NAME = {
    "hub_inception_v3": f"{_SLIM}#pre-trained-models",
    "hub_mobilenet_v2": f"{_SLIM}/nets/mobilenet",
    "hub_mobilenet_v3_large": f"{_SLIM}/nets/mobilenet",
    "hub_mobilenet_v3_small": f"{_SLIM}/nets/mobilenet",
    "hub_resnet50_v2": f"{_SLIM}#pre-trained-models",
    "mobilenet_v3_small": f"{_KERAS}/mobilenet/#mobilenetv3small-function",
    "mobilenet_v3_large": f"{_KERAS}/mobilenet/#mobilenetv3large-function",
}
# One for each size of machine and data, from small to large.
_SHORT = (
    *("mobilenet_v3_small", "mobilenet_v2", "efficientnet_lite0", "efficientnet_b0"),
    *("resnet50", "efficientnet_v2_s", "convnext_tiny", "convnext_base"),
)
_HEADINGS = {
    "image": "Images",
    "text": "Texts",
    "series": "Series",
    "sound": "Sounds",
    "table": "Tables",
}


def page() -> str:
    """The whole of backbones.md."""
    figures = _figures()
    parts = [_preface(figures)]
    for modality, heading in _HEADINGS.items():
        # The catalog alone: the page has no rows of who writes it.
        names = [spec.name for spec in CATALOG if spec.modality == modality]
        if names:
            parts.append(f"## {heading}\n\n{_table(names, figures)}")
    return "\n\n".join(parts) + "\n"


def short_table() -> str:
    """A few rows for networks.md."""
    figures = _figures()
    header = ("backbone", "parameters", "multiply-adds", "top-1", "images/s", "licence")
    rows = []
    for spec in map(zoo.get_spec, _SHORT):
        measured = figures["backbones"].get(spec.name, {})
        rows.append(
            (
                f"`{spec.name}`",
                _scaled(spec.parameters),
                _scaled(measured.get("multiply_adds")),
                f"{spec.imagenet_top1:.1%}",
                _speed(measured).partition(" ")[0],
                spec.license,
            )
        )
    return _markdown(header, rows)


def with_table(text: str) -> str:
    """The text with everything between the markers replaced by the short table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{short_table()}\n{END}{after}"


def _figures() -> dict[str, Any]:
    return json.loads((DOCS / "backbone_figures.json").read_text())


def _conditions(figures: dict[str, Any]) -> str:
    measured = figures.get("measured")
    if measured is None:
        return "  Not measured yet: `python -m benchmarks.backbones speed`."
    return f"""\
  Measured on {measured["date"]} on {measured["machine"]}, with a load of
  {measured["load"]}: other work on the same cores makes them lower.
  `{measured["command"]}` measures again."""


def _preface(figures: dict[str, Any]) -> str:
    return f"""\
# Backbones

Written by `docs/backbone_table.py` from the catalog; `zoo info NAME` has the paper, the
names of the blocks and the hash of the weights.

* **Parameters** and **multiply-adds** are those of the network without its classifier,
  for one example of the default size. Multiply-adds are counted from the graph:
  convolutions and matrix products.
* **Width** is the width of the features, and **blocks** freeze and train as one.
* **Top-1** is the accuracy on ImageNet, with a link to where it was published.
* **Pixels** are what the network was trained on; a backbone takes raw ones, 0 to 255.
* **Examples per second** are measured on a forward pass in float32 of a batch of 16 at
  the default size: the median of three, and the slowest and the fastest.
{_conditions(figures)}
* **Licence** applies to the weights. `{NONE}`: not published, or not measured."""


def _table(names: Iterable[str], figures: dict[str, Any]) -> str:
    header = (
        *("backbone", "source", "input", "parameters", "multiply-adds", "width"),
        *("blocks", "top-1", "licence", "pixels", "examples/s"),
    )
    return _markdown(
        header,
        [
            _row(zoo.get_spec(name), figures["backbones"].get(name, {}))
            for name in names
        ],
    )


def _row(spec: zoo.BackboneSpec, measured: dict[str, Any]) -> Sequence[str]:
    return (
        f"`{spec.name}`",
        spec.source,
        str(spec.input),
        NONE if spec.parameters is None else f"{spec.parameters:,}",
        _scaled(measured.get("multiply_adds")),
        str(spec.feature_width),
        str(len(spec.blocks)),
        _top1(spec),
        spec.license,
        spec.input.pixels.name if isinstance(spec.input, ImageInput) else NONE,
        _speed(measured),
    )


def _top1(spec: zoo.BackboneSpec) -> str:
    if spec.imagenet_top1 is None:
        return NONE
    text = f"{spec.imagenet_top1:.1%}"
    place = _TOP1_BY_NAME.get(spec.name) or _TOP1_BY_SOURCE.get(spec.source)
    if place is None and spec.carries_weights:
        place = spec.handle  # the page of a module
    return f"[{text}]({place})" if place else text


def _speed(measured: dict[str, Any]) -> str:
    rates = measured.get("examples_per_second")
    if rates is None:
        return NONE
    middle, low, high = (
        f"{rates[key]:.3g}" if rates[key] < 1000 else f"{rates[key]:,.0f}"
        for key in ("median", "slowest", "fastest")
    )
    return f"{middle} ({low} to {high})"


def _scaled(count: int | None) -> str:
    if count is None:
        return NONE
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return str(count)


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(page())
    NETWORKS.write_text(with_table(NETWORKS.read_text()))
