"""A worker of a small run, until it is trained: `worker_run.py WORKDIR WEIGHTS`."""

import logging
import sys
from pathlib import Path

import numpy as np

from pipelines import run
from pipelines.commands.exit_codes import exit_code_of
from pipelines.config import FinetuneConfig, HeadConfig, RunConfig, checked
from pipelines.runs import folder as workdir
from pipelines.runs import workers
from pipelines.runs.prepare import prepare
from pipelines.runtime.clock import Clock

EPOCHS = 8


def main(folder: str, weights: str) -> None:
    config = checked(
        RunConfig(
            data="builtin:digits?limit=110",
            backbone="tiny_image",
            weights="none",
            workdir=folder,
            input_size_px=16,
            strategy="full",
            batch_size=16,
            checkpoint_seconds=0.0,
            head=HeadConfig(epochs=1, views=1),
            finetune=FinetuneConfig(epochs=EPOCHS, patience_epochs=EPOCHS),
        )
    )
    distribution = workers.gathered(config)
    is_chief = distribution.team.is_chief
    with workdir.claimed(config) if is_chief else workdir.lent() as claimed:
        prepared = workers.agreed(prepare(config, Clock()), distribution)
        trained = run.train(config, prepared, claimed, Clock(), distribution)
    np.savez(Path(weights), *trained.model.model.get_weights())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    sys.exit(exit_code_of(lambda: main(*sys.argv[1:]), debug=False))
