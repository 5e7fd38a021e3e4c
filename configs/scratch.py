"""A small network from random weights on 5,000 handwritten digits.

Purpose:  the measure of what pretrained weights add; compare with quickstart.py.
Command:  zoo train --config=configs/scratch.py
Cost:     about a minute on two CPU cores, 1 GB of memory.
Expected: test accuracy about 0.90 on 750 held-out images, where quickstart has 0.98.
"""

from pipelines.config import RunConfig


def get_config() -> RunConfig:
    """The config of this experiment."""
    config = RunConfig()
    config.data = "builtin:mnist_5k?validation=0.1"
    config.backbone = "tiny_image"
    config.weights = "none"
    config.workdir = "runs/scratch"
    config.strategy = "scratch"
    config.input_size_px = 32
    # Nothing learned before is lost by large steps.
    config.finetune.learning_rate = 3e-3
    return config
