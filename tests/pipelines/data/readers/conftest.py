"""Files of records that several modules of tests read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.records import encoded, write


@pytest.fixture
def images(tmp_path: Path) -> str:
    """Forty images of the classes 1, 2 and 10 in three files."""
    labels = [(1, 2, 10)[i % 3] for i in range(40)]
    rows = [{"image": encoded(i), "label": labels[i]} for i in range(40)]
    for k, part in enumerate((rows[:15], rows[15:20], rows[20:])):
        write(tmp_path / f"data-{k}.tfrecord", part)
    return f"{tmp_path}/data-*.tfrecord"
