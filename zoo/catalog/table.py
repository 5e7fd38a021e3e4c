"""Networks for rows of tables. Nobody publishes weights for them, as columns differ.

`zoo publish` makes a backbone of what was trained. The next table may have other
columns: those of both keep their weights.
"""

from zoo.spec import OUTPUT, BackboneSpec, Boundary, Column, TableInput

WIDTH = 256

# What the parameters of the row are counted for.
_COLUMNS = tuple(Column(f"column{number}") for number in range(1, 5))

SPECS = (
    BackboneSpec(
        name="table_dense",
        source="table",
        handle="dense",
        input=TableInput(_COLUMNS),
        feature_width=WIDTH,
        parameters=133_896,
        blocks=(
            Boundary("columns", "columns_activation"),
            Boundary("block1", "block1_add"),
            Boundary("block2", OUTPUT),
        ),
        license="Apache-2.0",
        paper="https://arxiv.org/abs/2106.11959",
    ),
)
