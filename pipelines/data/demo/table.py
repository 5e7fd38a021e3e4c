"""A table of numbers: chemical analyses of wines from three growers."""

from __future__ import annotations

import collections
import csv
from collections.abc import Mapping
from pathlib import Path

from pipelines.data.demo.carried import CarriedFile
from pipelines.data.demo.kind import DemoKind

_TABLE = "wines.csv"
# The file itself names no columns.
_COLUMNS = (
    *("alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium"),
    *("total_phenols", "flavanoids", "nonflavanoid_phenols", "proanthocyanins"),
    *("color_intensity", "hue", "dilution", "proline"),
)


def _write(files: tuple[Path, ...], folder: Path, limit: int) -> Mapping[str, int]:
    """`folder/wines.csv`: a column for each measure, and `grower`."""
    counts: dict[str, int] = collections.defaultdict(int)
    with (
        files[0].open(encoding="ascii", newline="") as lines,
        (folder / _TABLE).open("w", encoding="ascii", newline="") as stream,
    ):
        table = csv.writer(stream, lineterminator="\n")
        table.writerow([*_COLUMNS, "grower"])
        _, *rows = csv.reader(lines)
        for *values, label in rows:
            grower = f"grower {int(label) + 1}"
            if counts[grower] < limit:
                counts[grower] += 1
                table.writerow([*values, grower])
    return counts


TABLE = DemoKind(
    summary="wines of three growers: thirteen chemical measures of each",
    origin=(
        "Wine recognition data by Michele Forina and others (UCI Machine Learning"
        " Repository), as the package scikit-learn carries them"
    ),
    licence="CC BY 4.0 (the measures)",
    files=(
        CarriedFile(
            package="scikit-learn==1.9.1",
            path="sklearn/datasets/data/wine_data.csv",
            sha256="10e8a802908b34f86e5da8ce962f3c806694bc98450a18f61851af59f324bede",
        ),
    ),
    default_limit=71,
    scheme="csv",
    data_file=_TABLE,
    options={"columns": "*", "label": "grower"},
    train_flags=(),
    write=_write,
)
