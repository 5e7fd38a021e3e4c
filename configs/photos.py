"""A folder of photos, one folder per class, with the defaults for everything else.

Purpose:  what to start from for your own images.
Command:  zoo train --config=configs/photos.py --config.data=dir:PATH
          --config.workdir=runs/photos
Cost:     about half a minute on two CPU cores, and 1 to 4 minutes more for 1,000 photos
          at 224 px, the more where blocks train; 2.5 GB of memory.
Expected: depends on the photos; report.json has accuracy, per class too.
"""

from pipelines.config import RunConfig


def get_config() -> RunConfig:
    """The config of this experiment."""
    config = RunConfig()
    config.data = "dir:photos"
    config.workdir = "runs/photos"
    return config
