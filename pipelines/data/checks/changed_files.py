"""Files that vanish or break after they were checked: the error says which."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from pipelines.data.checks.content_hashes import hashes_and_reasons, refusal
from pipelines.data.splits import ImageFiles, ImageRecords, Split
from pipelines.errors import ChangedFilesError


@contextlib.contextmanager
def broken_files_named(*splits: Split) -> Iterator[None]:
    """Where reading these splits fails inside, their files are looked at again.

    TensorFlow tells the op that failed, and not the file that it was given.

    Raises:
        ChangedFilesError: naming the files that cannot be used any more.
    """
    try:
        yield
    except tf.errors.OpError as error:
        for split in splits:
            if not isinstance(split.inputs, ImageFiles | ImageRecords):
                continue
            # A change may leave size and time as they were.
            _, bad = hashes_and_reasons(split.inputs, use_cache=False)
            if bad:
                raise ChangedFilesError(
                    f"Files of the {split.name} split were good when they were checked,"
                    " and changed while the run was reading them."
                    f" {refusal(split.inputs, bad)}"
                ) from error
        raise
