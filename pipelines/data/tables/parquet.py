"""`parquet:` - the columns of a file of Apache Parquet, with pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.data.tables.columns import Cells
from pipelines.errors import ConfigError, DataError
from zoo.storage.home import expanded

# In memory a value takes up to 60 bytes, as a text.
MOST_VALUES = 50_000_000


def load_parquet(
    location: str, *, most: int = MOST_VALUES
) -> tuple[Path, dict[str, Cells], int]:
    """The path, the columns by name and the number of rows.

    Texts and truth values are texts, numbers are float64 with NaN for missing ones.

    Raises:
        ConfigError: if pyarrow is not installed.
        DataError: if it is not such a file, is larger than `most` values, has two
            columns of a name, or a column of dates or of lists.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(
            "Reading 'parquet:' needs pyarrow. Install it with: pip install"
            " 'zootune[parquet]', or save the table as csv."
        ) from error
    path = expanded(location).absolute()
    if not path.is_file():
        raise DataError(f"There is no file {path}. Check the path after 'parquet:'.")
    try:
        file = pyarrow.parquet.ParquetFile(path)
        names, rows = file.schema_arrow.names, file.metadata.num_rows
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise DataError(f"{path} has two columns of the same name: {twice}.")
        if rows * len(names) > most:
            raise DataError(
                f"{path} has {rows:,} rows of {len(names)} columns, which is more than"
                f" {most:,} values. Save a part of it, or fewer columns."
            )
        table = file.read()
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}.") from error
    if not rows:
        raise DataError(f"{path} has no row.")
    columns = {
        name: _cells(table.column(name), name, path, pyarrow.types) for name in names
    }
    return path, columns, rows


def _cells(column: Any, name: str, path: Path, types: Any) -> Cells:
    kind = column.type
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        values = [np.nan if x is None else float(x) for x in column.to_pylist()]
        return np.array(values, np.float64)
    if types.is_boolean(kind) or types.is_null(kind):
        words = {None: "", True: "true", False: "false"}
        return [words[x] for x in column.to_pylist()]
    if types.is_string(kind) or types.is_large_string(kind):
        return ["" if x is None else x for x in column.to_pylist()]
    if types.is_temporal(kind):
        values = column.to_pylist()
        return ["" if x is None else str(x) for x in values]
    raise DataError(
        f"The column {name!r} of {path} holds {kind}; columns are numbers, texts or"
        " truth values. Leave it out of the file, or of columns=."
    )
