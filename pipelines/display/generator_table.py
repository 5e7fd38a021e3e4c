"""What a generator learned from and drew, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.display.tables import aligned


def generator_table(values: Mapping[str, Any]) -> str:
    """The losses as learning went on, and where the images are."""
    names, losses = values["class_names"], values["losses"]
    shown = sorted({0, len(losses) // 2, len(losses) - 1})
    rows = [("part of the steps", "loss of the judge", "loss of the drawer")]
    for i in shown:
        judge, drawer = losses[i]
        rows.append((f"{i + 1} of {len(losses)}", f"{judge:.3f}", f"{drawer:.3f}"))
    count = values["count"]
    return "\n\n".join(
        [
            f"learned from {values['examples']} training images of"
            f" {len(names)} classes in {values['seconds']:.0f} s",
            aligned(rows),
            f"{count} images of each class: {values['folder']}/images\n"
            f"a row of each class: {values['folder']}/sheet.png\n"
            f"the network, from noise and label to images: {values['folder']}/model",
        ]
    )
