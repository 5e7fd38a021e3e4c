"""A worker of a small run, until it is trained.

Command: python -m tests.faults.worker_run WORKDIR WEIGHTS
"""

import logging
import sys
from pathlib import Path

import numpy as np

from benchmarks.trained import train
from pipelines.config import FinetuneConfig, HeadConfig, RunConfig
from pipelines.runtime.exit_codes import exit_code_of

EPOCHS = 8


def main(folder: str, weights: str) -> None:
    config = RunConfig(
        data="builtin:digits?limit=110",
        backbone="tiny_image",
        weights="none",
        workdir=folder,
        input_size_px=16,
        strategy="full",
        batch_size=16,
        checkpoint_seconds=0.0,
        head=HeadConfig(epochs=1, views=1),
        finetune=FinetuneConfig(epochs=EPOCHS, patience_epochs=EPOCHS, guard=False),
    )
    trained = train(config)
    np.savez(Path(weights), *trained.model.model.get_weights())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    sys.exit(exit_code_of(lambda: main(*sys.argv[1:]), debug=False))
