"""A network of 9,000 parameters from random weights on 1,797 digits of 8x8 pixels.

Purpose:  to see every stage run in half a minute, without any download.
Command:  zoo train --config=configs/tiny.py
Cost:     half a minute on two CPU cores.
Expected: test accuracy about 0.9.
"""

from pipelines.config import RunConfig


def get_config() -> RunConfig:
    """The config of this experiment."""
    config = RunConfig()
    config.data = "builtin:digits"
    config.backbone = "tiny_image"
    config.weights = "none"
    config.workdir = "runs/tiny"
    config.strategy = "scratch"
    config.finetune.epochs = 15
    config.finetune.learning_rate = 3e-3
    config.overwrite = True
    return config
