"""Speed and memory of the data pipeline.

Command: python -m benchmarks.data MEASUREMENT [--help]
Cost:    in the file of each measurement.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks import data_check, data_feed, data_index

_MEASUREMENTS = {"check": data_check, "feed": data_feed, "index": data_index}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, module in _MEASUREMENTS.items():
        command = commands.add_parser(name, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(measure=module.measure)
    arguments = parser.parse_args()
    arguments.measure(arguments)


if __name__ == "__main__":
    main()
