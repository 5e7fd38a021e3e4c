"""Messages in a table, whatever their quotes and commas."""

import csv

from pipelines.data.demo.texts import TEXTS


def test_table_holds_every_message_unchanged(tmp_path):
    files = tuple(file.obtain() for file in TEXTS.files)
    counts = TEXTS.write(files, tmp_path, 10_000)
    with (tmp_path / "texts.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == sum(counts.values()) == 4862
    assert counts == {"ham": 4220, "spam": 642}
    lines = files[0].read_text(encoding="utf-8").split("\n")[:-1]
    assert [f"{row['label']}\t{row['text']}" for row in rows] == lines
