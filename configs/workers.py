"""All blocks of a backbone trained on several machines, each with a part of a batch.

Purpose:  a large data set, where one machine takes too long.
Command:  zoo train --config=configs/workers.py --config.data=dir:/data/photos
          on each machine, with its TF_CONFIG; docs/launch starts all of them.
Cost:     the time of one machine, divided by a little less than their number.
Expected: the result of one machine, within 1e-5 on weights after 20 steps.
"""

from pipelines.config import RunConfig


def get_config() -> RunConfig:
    """The config of this experiment."""
    config = RunConfig()
    config.data = "dir:/data/photos"
    config.workdir = "runs/workers"
    config.distribution = "workers"
    # Of all machines together: 64 on each of four.
    config.batch_size = 256
    config.strategy = "full"
    return config
