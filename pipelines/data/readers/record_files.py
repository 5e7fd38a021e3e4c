"""Files of records, as TensorFlow writes them, one record after the other.

A record is its length in 8 bytes, a checksum of that in 4, the data, and a checksum of
them in 4: https://www.tensorflow.org/tutorials/load_data/tfrecord.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from pipelines.display.text import shown
from pipelines.errors import DataError
from zoo.storage.home import expanded

# Before the data of a record, and after them.
_HEAD_BYTES, _TAIL_BYTES = 12, 4
_GZIP = b"\x1f\x8b"
_ZLIB = b"\x78"


def find(pattern: str, *, scheme: str = "tfrecord") -> list[str]:
    """The absolute paths that a pattern means, sorted; `scheme` is for messages.

    Raises:
        DataError: if nothing matches, or if a match is not a file.
    """
    absolute = expanded(pattern).absolute()
    # Brackets in names of existing files and folders are not patterns.
    folder = next(path for path in (absolute, *absolute.parents) if path.exists())
    matches = [absolute]
    if folder != absolute:
        matches = sorted(folder.glob(str(absolute.relative_to(folder))))
    if not matches:
        raise DataError(
            f"No file matches {shown(str(absolute))}. Check the path after"
            f" '{scheme}:', and put it between quotes, so that the shell leaves its"
            " stars alone."
        )
    for path in matches:
        if not path.is_file():
            raise DataError(
                f"{shown(str(path))} is not a file of records. Name the files, as in"
                f" '{scheme}:{shown(str(path))}/*.{scheme}'."
            )
    return [str(path) for path in matches]


def records(path: str) -> Iterator[tuple[int, bytes]]:
    """The offset of the data of every record in the file, and the data, verified.

    Raises:
        DataError: naming the file and the record, counted from 0, if the file is cut
            short, or a checksum does not match; or if it is compressed.
    """
    number, offset = 0, 0
    try:
        for data in tf.data.TFRecordDataset(path).as_numpy_iterator():
            yield offset + _HEAD_BYTES, data
            offset += _HEAD_BYTES + len(data) + _TAIL_BYTES
            number += 1
        if offset < Path(path).stat().st_size:
            # TensorFlow takes a part of a length for the end of the file.
            raise tf.errors.DataLossError(None, None, "truncated length")
    except tf.errors.DataLossError as error:
        raise DataError(
            f"Record {number} of {shown(path)}, at byte {offset}, is damaged:"
            f" {_reason(path, error)}. Write the file again, or restore a copy."
        ) from None
    except tf.errors.OpError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.message}.") from None


def _reason(path: str, error: tf.errors.OpError) -> str:
    with Path(path).open("rb") as stream:
        first = stream.read(2)
    if first == _GZIP or first.startswith(_ZLIB):
        return (
            "the file is probably compressed, and single records of such a file cannot"
            " be read"
        )
    if "truncated" in error.message:
        return "the file ends in the middle of it"
    return "its checksum does not match"
