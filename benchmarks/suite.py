"""All that is measured beside plain Keras doing the same work, into RESULTS.md.

Each measurement is a command of its own, which interleaves the contenders; they follow
each other, so that none disturbs another. What they print goes between the markers
`<!-- suite: NAME -->` and `<!-- suite: end -->` of the results, with the command above
it; the rest of the page stays. A command that fails leaves its section as it was, and
the suite goes on and ends with 1.

Command: make benchmark
         python -m benchmarks.suite --small --print training memory
Cost:    about an hour on two CPU cores that do nothing else. `--small` only shows that
         everything runs: about a quarter of it. Serving needs `wrk`.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

_RESULTS = Path(__file__).with_name("RESULTS.md")


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A section of the results, and the modules with arguments that make it."""

    title: str
    full: tuple[str, ...]
    small: tuple[str, ...]


MEASUREMENTS = {
    "training": Measurement(
        "Full fine-tuning from JPEG files",
        ("benchmarks.training feed",),
        ("benchmarks.training feed --size=96 --photos=160 --epochs=2 --batch=16",),
    ),
    "precision": Measurement(
        "A training step with precision=auto",
        ("benchmarks.training precision --size=160 --repetitions=5",),
        ("benchmarks.training precision --size=48 --batch=4 --backbones mobilenet_v2",),
    ),
    "frozen": Measurement(
        "Training on frozen blocks",
        (
            "benchmarks.transfer_cost builtin:mnist_5k --size=128 --repetitions=2",
            "benchmarks.transfer_cost builtin:mnist_5k --size=224 --repetitions=2"
            " --parts probe head",
        ),
        (
            "benchmarks.transfer_cost builtin:mnist_5k --size=48 --examples=200"
            " --repetitions=1",
        ),
    ),
    "input": Measurement(
        "From JPEG files to batches",
        ("benchmarks.data feed --photos=1000",),
        ("benchmarks.data feed --photos=200 --repetitions=1",),
    ),
    "serving": Measurement(
        "Serving",
        ("benchmarks.serving",),
        ("benchmarks.serving --repetitions=1 --seconds=2",),
    ),
    "memory": Measurement(
        "Start-up and memory",
        ("benchmarks.start_up",),
        ("benchmarks.start_up --repetitions=1 --photos=64 --size=48",),
    ),
}


def section(name: str, *, small: bool) -> str | None:
    """The output of the commands of a measurement, as a section; None if one fails."""
    measurement = MEASUREMENTS[name]
    parts = [f"## {measurement.title}"]
    for command in measurement.small if small else measurement.full:
        print(f"{name}: python -m {command}", file=sys.stderr, flush=True)
        ended = subprocess.run(
            [sys.executable, "-m", *shlex.split(command)],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if ended.returncode:
            print(f"{name}: ended with {ended.returncode}", file=sys.stderr)
            return None
        today, load = datetime.date.today().isoformat(), os.getloadavg()[0]
        parts.append(
            f"`python -m {command}`, {today}, {os.cpu_count()} CPU cores, load"
            f" {load:.1f} when it ended:"
        )
        parts.append(_tables(ended.stdout))
    return "\n\n".join(parts)


def _tables(printed: str) -> str:
    """Without the progress of `fit`."""
    lines = printed.splitlines()
    return "\n".join(line for line in lines if not re.match(r"Epoch |\d+/\d+ - ", line))


def put(page: str, name: str, text: str) -> str:
    """The page with a section between its markers, at its end if it had none."""
    begin, end = f"<!-- suite: {name} -->", "<!-- suite: end -->"
    whole = f"{begin}\n{text}\n{end}"
    match = re.search(f"{re.escape(begin)}.*?{re.escape(end)}", page, re.DOTALL)
    if match is None:
        return f"{page.rstrip()}\n\n{whole}\n"
    return page[: match.start()] + whole + page[match.end() :]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(MEASUREMENTS)}")
    parser.add_argument("--small", action="store_true", help="shows that it runs")
    parser.add_argument("--print", action="store_true", help="writes nothing")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"There is no {', '.join(unknown)}; {', '.join(MEASUREMENTS)} are")
    failed = []
    for name in arguments.names or MEASUREMENTS:
        text = section(name, small=arguments.small)
        if text is None:
            failed.append(name)
        elif arguments.print:
            print(text, end="\n\n", flush=True)
        else:
            _RESULTS.write_text(put(_RESULTS.read_text(), name, text))
    if failed:
        print(f"Not measured: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
