"""A table of numbers and categories, with a dense network on its columns.

Purpose:  what to start from for rows of measures and categories with a label.
Command:  zoo train --config=configs/table.py --config.data='csv:PATH?columns=*'
          with a column `label`, or `&label=COLUMN`.
Cost:     a minute for 2,000 rows of 60 columns on two CPU cores.
Expected: about what logistic regression and boosted trees give, which report.json
          has too, under `simple_models`, with the one of the three to prefer.
"""

from pipelines.config import RunConfig


def get_config() -> RunConfig:
    """The config of this experiment."""
    config = RunConfig()
    config.data = "csv:rows.csv?columns=*"
    config.backbone = "table_dense"
    config.workdir = "runs/rows"
    return config
