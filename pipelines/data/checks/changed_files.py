"""Names the files that vanished or broke after they were checked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from pipelines.data.checks.content_hashes import check_content, refusal
from pipelines.data.splits import ImageFiles, ImageRecords, Split
from pipelines.errors import ChangedFilesError


@contextlib.contextmanager
def broken_files_named(*splits: Split) -> Iterator[None]:
    """Inspects the files of these splits again if an op fails inside.

    TensorFlow names the op that failed, but not the file that it read.

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
            bad = check_content(split.inputs, use_cache=False).bad
            if bad:
                raise ChangedFilesError(
                    f"Files of the {split.name} split were good when they were checked,"
                    " and changed while the run was reading them."
                    f" {refusal(split.inputs, bad)}"
                ) from error
        raise
