"""A run to which something happens as one of its stages begins."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from pipelines.main import main


class AtStage(logging.Handler):
    """Does something once, when a stage of the run begins."""

    def __init__(self, stage: str, action: Callable[[], object]) -> None:
        super().__init__()
        self.stage, self.action, self.done = f"] {stage}: ", action, 0

    def emit(self, record) -> None:
        if not self.done and self.stage in record.getMessage():
            self.done += 1
            self.action()


def train(
    data: str,
    workdir: Path,
    stage: str,
    action: Callable[[], object],
    *,
    strategy: str = "head_only",
) -> int:
    """The main job on tiny parts, while something happens as a stage begins."""
    handler, logger = AtStage(stage, action), logging.getLogger("zootune")
    logger.addHandler(handler)
    try:
        code = main(
            [
                f"--config.data={data}",
                "--config.backbone=tiny_image",
                "--config.weights=none",
                f"--config.strategy={strategy}",
                "--config.augment.strength=none",
                "--config.finetune.guard=False",
                "--config.head.epochs=1",
                "--config.finetune.epochs=2",
                "--config.batch_size=8",
                "--config.input_size_px=16",
                f"--config.workdir={workdir}",
            ]
        )
    finally:
        logger.removeHandler(handler)
    assert handler.done == 1
    return code
