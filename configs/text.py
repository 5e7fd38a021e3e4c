"""Texts in a table, with sentence vectors of MiniLM and a new head on them.

Purpose:  what to start from for mails, tickets, reviews: any texts with a label.
Command:  zoo fetch minilm_l6, then zoo train --config=configs/text.py
          --config.data='csv:PATH?text=COLUMN&label=COLUMN'
Cost:     one pass through MiniLM: minutes for 10,000 short texts on two CPU cores.
Expected: depends on the texts; report.json has accuracy, per class too.
"""

from pipelines.config import RunConfig


def get_config() -> RunConfig:
    """The config of this experiment."""
    config = RunConfig()
    config.data = "csv:mails.csv?text=body&label=folder"
    config.backbone = "minilm_l6"
    config.workdir = "runs/mails"
    # The encoder stays as it is; that is enough where topics differ.
    config.strategy = "head_only"
    return config
