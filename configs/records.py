"""Images in record files, read in shards and decoded while the network trains.

Purpose:  data sets that are too large for single files on a network disk.
Command:  zoo shard dir:photos --to records --shards=64, then
          zoo train --config=configs/records.py
Cost:     as configs/photos.py; up to 4 GB of memory more for decoded images.
Expected: the accuracy of a run on the folder itself.
"""

from pipelines.config import RunConfig


def get_config() -> RunConfig:
    """The config of this experiment."""
    config = RunConfig()
    config.data = "tfrecord:records"
    config.workdir = "runs/records"
    # Decoded images stay in memory up to here; the rest is decoded in every epoch.
    config.input.cache_mib = 4096
    # A step in a long epoch is not lost: an interrupted run resumes from a checkpoint.
    config.checkpoint_seconds = 300.0
    return config
