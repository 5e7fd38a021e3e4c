"""A folder of photos, one folder per class, with the defaults for everything else.

Purpose:  what to start from for your own images.
Command:  zoo train --config=configs/photos.py --config.data=dir:PATH
          --config.workdir=runs/photos
Cost:     about 1 minute per 1,000 photos on two CPU cores at 224 px.
Expected: depends on the photos; report.json has accuracy, per class too.
"""

from pipelines.config import RunConfig


def get_config() -> RunConfig:
    config = RunConfig()
    config.data = "dir:photos"
    config.workdir = "runs/photos"
    return config
