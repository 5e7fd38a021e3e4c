"""Measurements over time, with MiniRocket and a head in closed form.

Purpose:  what to start from for sensors and machines; nothing needs weights.
Command:  zoo train --config=configs/series.py --config.data=npz:PATH
          with arrays x, float [examples, steps, channels], and y.
Cost:     a minute for 1,000 series of 500 steps on two CPU cores.
Expected: depends on the series; compare with `without a network` in the result table.
"""

from pipelines.config import RunConfig


def get_config() -> RunConfig:
    """The config of this experiment."""
    config = RunConfig()
    config.data = "npz:machines.npz"
    config.backbone = "series_minirocket"
    config.workdir = "runs/machines"
    return config
