"""The console command `zoo`: parses, calls one function, prints.

Nothing here imports TensorFlow before a command needs it, so that listing and help
answer at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines import main as training
from pipelines.commands import check, export, fetch, predict, tune
from pipelines.commands import deploy as deploying
from pipelines.commands import list as listing
from pipelines.commands import serve as serving
from pipelines.commands.console import Parser, print_json, say_progress
from pipelines.commands.exit_codes import exit_code_of
from pipelines.commands.tables import (
    aligned,
    evaluation_table,
    plan_table,
    ranking_table,
)
from pipelines.config import CHOICES, RunConfig, checked, from_fields
from pipelines.data.sharding.beam import LOCAL
from pipelines.errors import ConfigError, DataError
from pipelines.runtime.startup import start_tensorflow
from pipelines.serving.server.log_filter import thinned_stderr
from zoo import published

_DEFAULTS = RunConfig()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code; wrong usage is 2."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments[:1] == ["train"]:
        # Its flags belong to absl, which knows the fields of the config.
        return training.main(arguments[1:])
    if arguments[:1] == ["tune"]:
        return tune.main(arguments[1:])
    return exit_code_of(lambda: _run(arguments), debug="--debug" in arguments)


def _run(arguments: Sequence[str]) -> None:
    parsed = _parser().parse_args(arguments)
    parsed.command(parsed)


class _Commands:
    """The commands of a parser, each with a function that takes what was parsed."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(
        self,
        name: str,
        command: Callable[[argparse.Namespace], None],
        summary: str,
        *,
        ends: bool = True,
    ) -> argparse.ArgumentParser:
        """One more; what `ends` can print its result as JSON."""
        added = self._commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(command=command)
        if ends:
            added.add_argument(
                "--json", action="store_true", help="print one JSON object"
            )
        added.add_argument("--debug", action="store_true", help="show tracebacks")
        return added

    def mention(self, name: str, summary: str) -> None:
        """One that parses its arguments by itself."""
        self._commands.add_parser(name, help=summary)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="zoo", description="Transfer learning that you can trust.")
    commands = _Commands(parser)
    add = commands.add

    listing.add_arguments(add("list", listing.show_all, "the backbones, as a table"))
    info = add("info", listing.show_one, "what is known about one backbone")
    info.add_argument("name", metavar="NAME")
    fetch.add_arguments(add("fetch", fetch.fetch_named, fetch.SUMMARY))
    _plan_flags(add("plan", _plan, "what training would do with the data, and why"))
    _rank_flags(add("rank", _rank, "backbones, by what they are worth on the data"))
    commands.mention("train", "fine-tune; `zoo train --help` lists the fields")
    commands.mention("tune", tune.SUMMARY)
    _evaluate_flags(
        add("evaluate", _evaluate, "how good an artifact is on labelled data")
    )
    _predict_flags(
        add(
            "predict",
            _predict,
            "what an artifact says of files: images, texts, series",
        )
    )
    serving.add_arguments(add("serve", _serve, serving.SUMMARY, ends=False))
    deploying.add_arguments(add("deploy", deploying.deploy, deploying.SUMMARY))
    publishing = add(
        "publish", _publish, "make the trained backbone of a run one of your backbones"
    )
    publishing.add_argument("run", type=Path, metavar="RUN")
    publishing.add_argument("--name", required=True, metavar="NAME")
    export.add_arguments(add("export", export.export, export.SUMMARY))
    check.add_arguments(add("check", check.check, check.SUMMARY))
    _shard_flags(add("shard", _shard, "write a data set as record files, with Beam"))
    reporting = add("report", _report, "write the page of a finished run again")
    reporting.add_argument("run", type=Path, metavar="RUN")
    add("doctor", _doctor, "whether this machine is ready, and what to mend")
    return parser


def _plan_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, metavar="REF")
    parser.add_argument("--backbone", required=True, metavar="NAME")
    for field in ("handle", "weights"):
        parser.add_argument(f"--{field}", default=getattr(_DEFAULTS, field))
    for field in ("strategy", "effort"):
        default = getattr(_DEFAULTS, field)
        parser.add_argument(f"--{field}", choices=CHOICES[field], default=default)
    for field in ("input_size_px", "input_length", "seed"):
        flag = "--" + field.replace("_", "-")
        parser.add_argument(flag, type=int, default=getattr(_DEFAULTS, field))


def _rank_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, metavar="REF")
    parser.add_argument(
        "--backbones",
        default="*",
        metavar="GLOB",
        help="compare those that match, such as 'efficientnet*'; default: all whose"
        " weights are on this machine",
    )
    parser.add_argument("--seed", type=int, default=_DEFAULTS.seed)


def _evaluate_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("--data", required=True, metavar="REF")
    parser.add_argument(
        "--split",
        choices=("auto", "train", "validation", "test", "all"),
        default="auto",
        help="auto: the test split of the data it was trained on, all of other data",
    )


def _predict_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artifact", type=Path, metavar="ARTIFACT")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    predict.add_arguments(parser)


def _shard_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="REF")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--shards", type=int, default=8, metavar="N", help="files for each split"
    )
    parser.add_argument(
        "--runner", default=LOCAL, help="of Beam; DirectRunner: this machine"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the runner, such as region=europe-west1; may be given several times",
    )


def _plan(arguments: argparse.Namespace) -> None:
    fields = [field.name for field in dataclasses.fields(RunConfig)]
    config = from_fields(
        {name: value for name, value in vars(arguments).items() if name in fields}
    )
    config = checked(config, writes=False)
    start_tensorflow()
    from pipelines.data.reference import DatasetRef
    from pipelines.planning.plan import to_dict
    from pipelines.runs.prepare import prepare
    from pipelines.runtime.clock import Clock

    clock = Clock()
    prepared = prepare(config, DatasetRef.parse(config.data), clock)
    evidence = prepared.measured.evidence
    values = {
        "plan": to_dict(prepared.plan),
        "evidence": None if evidence is None else dataclasses.asdict(evidence),
        "compute": dataclasses.asdict(prepared.compute),
        "seconds": {**clock.seconds, "total": clock.total_seconds},
    }
    if arguments.json:
        print_json(values)
        return
    print(plan_table(values))


def _rank(arguments: argparse.Namespace) -> None:
    from pipelines.data.reference import DatasetRef
    from pipelines.planning.candidates import require_match

    DatasetRef.parse(arguments.data)
    require_match(arguments.backbones)
    start_tensorflow()
    say_progress(sys.stderr)
    from pipelines.ranking import rank

    ranking = rank(arguments.data, backbones=arguments.backbones, seed=arguments.seed)
    values = dataclasses.asdict(ranking)
    if arguments.json:
        print_json(values)
        return
    print(ranking_table(values))


def _evaluate(arguments: argparse.Namespace) -> None:
    start_tensorflow()
    import pipelines
    from pipelines.stages.evaluate import evaluate_artifact

    predictor = pipelines.load(arguments.artifact)
    report = evaluate_artifact(predictor, arguments.data, split=arguments.split)
    values = dataclasses.asdict(report)
    if arguments.json:
        print_json(values)
        return
    print(f"split: {report.split}")
    print(evaluation_table(values))


def _predict(arguments: argparse.Namespace) -> None:
    if arguments.to:
        predict.predict(arguments)
        return
    predict.refuse_without_output(arguments)
    contents = [_read(path) for path in arguments.files]
    start_tensorflow()
    import pipelines
    from pipelines.data.example_files import parse_example
    from pipelines.display.text import shown

    predictor = pipelines.load(arguments.artifact)
    found = predictor.predict(
        [
            parse_example(content, path, predictor.modality)
            for content, path in zip(contents, arguments.files)
        ]
    )
    if arguments.json:
        rows = [
            {"file": str(path), **dataclasses.asdict(prediction)}
            for path, prediction in zip(arguments.files, found)
        ]
        print_json({"predictions": rows})
        return
    header = ("file", "label", "confidence", "accepted")
    unreadable = f"(not a readable {predictor.modality})"
    lines = [
        (
            shown(str(path)),
            prediction.label if prediction.valid else unreadable,
            f"{prediction.confidence:.4f}",
            "yes" if prediction.accepted else "no",
        )
        for path, prediction in zip(arguments.files, found)
    ]
    print(aligned([header, *lines]))


def _serve(arguments: argparse.Namespace) -> None:
    serving.refuse_contradictions(arguments)
    with thinned_stderr():
        start_tensorflow("tensorflow")
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("zootune").setLevel(logging.INFO)
        serving.run(arguments)


def _shard(arguments: argparse.Namespace) -> None:
    from pipelines.data.reference import DatasetRef
    from pipelines.runtime.clock import Clock

    reference = DatasetRef.parse(arguments.data)
    start_tensorflow()
    from pipelines.data.sharding.shard import shard

    written = shard(
        reference,
        arguments.to,
        shards=arguments.shards,
        runner=arguments.runner,
        options=[f"--{option}" for option in arguments.option],
        on_progress=Clock().progress,
    )
    if arguments.json:
        print_json(dataclasses.asdict(written))
        return
    for split, counts in written.counts.items():
        print(f"{split}: {sum(counts.values())} records")
    print(f"read them with: tfrecord:{arguments.to}")


def _publish(arguments: argparse.Namespace) -> None:
    start_tensorflow()
    import pipelines

    spec = pipelines.publish(arguments.run, name=arguments.name)
    module = published.module_folder(spec.name)
    if arguments.json:
        print_json({**listing.summary(spec), "module": str(module)})
        return
    print(f"{spec.name}: {spec.modality}, {len(spec.blocks)} blocks,", end=" ")
    print(f"{spec.parameters:,} parameters, width {spec.feature_width}")
    print(f"to train from it:     zoo train --config.backbone={spec.name} ...")
    print(f"reusable SavedModel:  {module}")


def _report(arguments: argparse.Namespace) -> None:
    from pipelines.report import run_page
    from pipelines.runs.folder import RunFolder

    files = run_page.read(arguments.run)
    path = arguments.run / run_page.FILE_NAME
    try:
        page = run_page.page(files)
    except KeyError as error:
        raise ConfigError(
            f"The files of {arguments.run} have no {error}, so another version of"
            " zootune left them. Make the page with that one, or train again."
        ) from error
    try:
        RunFolder(arguments.run).write_text(run_page.FILE_NAME, page)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    if arguments.json:
        print_json({"report": str(path)})
        return
    print(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _doctor(arguments: argparse.Namespace) -> None:
    from pipelines.commands import doctor

    found = doctor.examine()
    if arguments.json:
        print_json(dataclasses.asdict(found))
        return
    print(doctor.as_text(found))


if __name__ == "__main__":
    sys.exit(main())
