"""The main job: `python -m pipelines.main --config=FILE --config.FIELD=VALUE ...`.

The same as `zoo train`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines.commands.console import execute


def main(arguments: Sequence[str]) -> int:
    """Trains as the arguments say, prints the result, and gives the exit code."""
    return execute("train", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
