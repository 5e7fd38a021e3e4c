"""EfficientNet-Lite0 with ImageNet weights on 5,000 handwritten digits.

Purpose:  the whole path on real weights and real images, from a bare machine.
Command:  make quickstart, or zoo train --config=configs/quickstart.py
Cost:     about 2 minutes on two CPU cores, 2.3 GB of memory.
Expected: test accuracy 0.98 or more on 750 held-out images.
"""

from pipelines.config import RunConfig


def get_config() -> RunConfig:
    """The config of this experiment."""
    config = RunConfig()
    # 500 images choose the best epoch, 750 are never seen before the end.
    config.data = "builtin:mnist_5k?validation=0.1"
    config.workdir = "runs/quickstart"
    config.finetune.epochs = 10
    # The digits are 28 pixels wide; more than 96 adds cost and no information.
    config.input_size_px = 96
    # A second `make quickstart` repeats the run; its artifact gets the next version.
    config.overwrite = True
    return config
