"""Measurements over time, with a convolutional network from random weights.

Purpose:  what to start from for sensors and machines; weights start random.
Command:  zoo train --config=configs/series.py --config.data=npz:PATH
          with arrays x, float [examples, steps, channels], and y.
Cost:     minutes for 1,000 series of 500 steps on two CPU cores.
Expected: depends on the series; compare with `without a network` in the result table.
"""

from pipelines.config import RunConfig


def get_config() -> RunConfig:
    """The config of this experiment."""
    config = RunConfig()
    config.data = "npz:machines.npz"
    config.backbone = "series_conv"
    config.weights = "none"
    config.workdir = "runs/machines"
    config.strategy = "scratch"
    return config
