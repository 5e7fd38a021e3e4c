"""The console command `zoo`: parses, calls one function, prints.

Nothing here imports TensorFlow before a command needs it, so that listing and help
answer at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import zoo
from pipelines import checking, exporting, fetching, predicting, tuning
from pipelines import main as training
from pipelines.config import CHOICES, RunConfig, checked, from_fields
from pipelines.data.beam_jobs import LOCAL
from pipelines.engine import start_tensorflow
from pipelines.errors import ConfigError, DataError
from pipelines.exit_codes import exit_code_of
from pipelines.serving.deploy import flags as deploying
from pipelines.serving.server import flags as serving
from pipelines.tables import aligned, evaluation_table, plan_table, ranking_table
from pipelines.terminal import Parser, say_progress
from zoo import handles, own, weights
from zoo.spec import ImageInput

_DEFAULTS = RunConfig()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code; wrong usage is 2."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments[:1] == ["train"]:
        # Its flags belong to absl, which knows the fields of the config.
        return training.main(arguments[1:])
    if arguments[:1] == ["tune"]:
        return tuning.main(arguments[1:])
    return exit_code_of(lambda: _run(arguments), debug="--debug" in arguments)


def _run(arguments: Sequence[str]) -> None:
    parsed = _parser().parse_args(arguments)
    parsed.command(parsed)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="zoo", description="Transfer learning that you can trust.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(
        name: str, command: Callable[..., None], summary: str, *, ends: bool = True
    ):
        added = commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(command=command)
        if ends:
            added.add_argument(
                "--json", action="store_true", help="print one JSON object"
            )
        added.add_argument("--debug", action="store_true", help="show tracebacks")
        return added

    listing = add("list", _list, "the backbones, as a table")
    listing.add_argument("glob", nargs="?", default="*", metavar="GLOB")
    specs = [zoo.get_spec(name) for name in zoo.list_backbones()]
    for field in ("modality", "source"):
        known = sorted({getattr(spec, field) for spec in specs})
        listing.add_argument(f"--{field}", choices=known)
    listing.add_argument("--pretrained", action="store_true", default=None)
    listing.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave out what matches; may be given several times",
    )

    info = add("info", _info, "what is known about one backbone")
    info.add_argument("name", metavar="NAME")

    bringing = add("fetch", _fetch, "pretrained weights into the store, verified")
    bringing.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="or a quoted GLOB such as 'resnet*', or a module's address",
    )
    bringing.add_argument(
        "--to", type=Path, metavar="DIR", help="copy the files there, to carry them"
    )
    bringing.add_argument(
        "--offline",
        action="store_true",
        default=None,
        help="take what is on this machine and fetch nothing",
    )
    bringing.add_argument(
        "--allow-unpinned",
        action="store_true",
        default=None,
        help="trust the address of what no hash is known of",
    )

    planning = add("plan", _plan, "what training would do with the data, and why")
    planning.add_argument("--data", required=True, metavar="REF")
    planning.add_argument("--backbone", required=True, metavar="NAME")
    for field in ("handle", "weights"):
        planning.add_argument(f"--{field}", default=getattr(_DEFAULTS, field))
    for field in ("strategy", "effort"):
        default = getattr(_DEFAULTS, field)
        planning.add_argument(f"--{field}", choices=CHOICES[field], default=default)
    for field in ("input_size_px", "input_length", "seed"):
        flag = "--" + field.replace("_", "-")
        planning.add_argument(flag, type=int, default=getattr(_DEFAULTS, field))

    ranking = add("rank", _rank, "backbones, by what they are worth on the data")
    ranking.add_argument("--data", required=True, metavar="REF")
    ranking.add_argument(
        "--backbones",
        default="*",
        metavar="GLOB",
        help="compare those that match, such as 'efficientnet*'; default: all whose"
        " weights are on this machine",
    )
    ranking.add_argument("--seed", type=int, default=_DEFAULTS.seed)

    commands.add_parser("train", help="fine-tune; `zoo train --help` lists the fields")

    commands.add_parser("tune", help=tuning.SUMMARY)

    evaluation = add("evaluate", _evaluate, "how good an artifact is on labelled data")
    evaluation.add_argument("artifact", type=Path, metavar="ARTIFACT")
    evaluation.add_argument("--data", required=True, metavar="REF")
    evaluation.add_argument(
        "--split",
        choices=("auto", "train", "validation", "test", "all"),
        default="auto",
        help="auto: the test split of the data it was trained on, all of other data",
    )

    prediction = add(
        "predict",
        _predict,
        "what an artifact says of files: images, texts, series",
    )
    prediction.add_argument("artifact", type=Path, metavar="ARTIFACT")
    prediction.add_argument("files", type=Path, nargs="+", metavar="FILE")
    predicting.add_arguments(prediction)

    serving.add_arguments(add("serve", _serve, serving.SUMMARY, ends=False))

    deploying.add_arguments(add("deploy", deploying.deploy, deploying.SUMMARY))

    publishing = add(
        "publish", _publish, "make the trained backbone of a run one of your backbones"
    )
    publishing.add_argument("run", type=Path, metavar="RUN")
    publishing.add_argument("--name", required=True, metavar="NAME")

    exporting.add_arguments(add("export", exporting.export, exporting.SUMMARY))

    checking.add_arguments(add("check", checking.check, checking.SUMMARY))

    sharding = add("shard", _shard, "write a data set as record files, with Beam")
    sharding.add_argument("data", metavar="REF")
    sharding.add_argument("--to", type=Path, required=True, metavar="DIR")
    sharding.add_argument(
        "--shards", type=int, default=8, metavar="N", help="files for each split"
    )
    sharding.add_argument(
        "--runner", default=LOCAL, help="of Beam; DirectRunner: this machine"
    )
    sharding.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the runner, such as region=europe-west1; may be given several times",
    )

    reporting = add("report", _report, "write the page of a finished run again")
    reporting.add_argument("run", type=Path, metavar="RUN")

    add("doctor", _doctor, "whether this machine is ready, and what to mend")
    return parser


def _print_json(values: Any) -> None:
    print(json.dumps(values, indent=2))


def _list(arguments: argparse.Namespace) -> None:
    names = zoo.list_backbones(
        arguments.glob,
        exclude=tuple(arguments.exclude),
        modality=arguments.modality,
        source=arguments.source,
        pretrained=arguments.pretrained,
    )
    specs = [zoo.get_spec(name) for name in names]
    if arguments.json:
        _print_json({"backbones": [_summary(spec) for spec in specs]})
        return
    header = ("name", "source", "input", "width", "parameters", "blocks", "top-1")
    rows = [
        (
            spec.name,
            spec.source,
            str(spec.input),
            spec.feature_width,
            "-" if spec.parameters is None else f"{spec.parameters:,}",
            len(spec.blocks),
            "-" if spec.imagenet_top1 is None else f"{spec.imagenet_top1:.3f}",
        )
        for spec in specs
    ]
    print(aligned([header, *rows]))


def _summary(spec: zoo.BackboneSpec) -> dict[str, Any]:
    values = dataclasses.asdict(spec)
    values["blocks"] = list(spec.block_names)
    return {**values, "modality": spec.modality, "pretrained": spec.pretrained}


def _info(arguments: argparse.Namespace) -> None:
    spec = zoo.get_spec(arguments.name)
    values = _summary(spec)
    path = _weights_at(spec)
    values["weights_at"] = str(path) if path else None
    if arguments.json:
        _print_json(values)
        return
    rows = [
        ("name", spec.name),
        ("source", f"{spec.source} ({spec.handle})"),
        ("modality", spec.modality),
        ("input", str(spec.input)),
        *_pixels_rows(spec),
        ("feature width", str(spec.feature_width)),
        ("parameters", _parameters(spec)),
        ("ImageNet top-1", str(spec.imagenet_top1 or "-")),
        ("licence", spec.license),
        ("paper", spec.paper or "-"),
        *_weights_rows(spec, path),
        ("blocks", f"{len(spec.blocks)}: {' '.join(spec.block_names)}"),
    ]
    print("\n".join(f"{name:<15} {value}" for name, value in rows))


def _parameters(spec: zoo.BackboneSpec) -> str:
    if spec.parameters is None:
        return "not counted before it is built"
    return f"{spec.parameters:,} without classifier"


def _pixels_rows(spec: zoo.BackboneSpec) -> list[tuple[str, str]]:
    if isinstance(spec.input, ImageInput):
        return [("pixels", spec.input.pixels.name)]
    return []


def _weights_at(spec: zoo.BackboneSpec) -> Path | None:
    if spec.carries_weights:
        return handles.find_module(spec.handle)
    return weights.find(spec.weights) if spec.weights else None


def _weights_rows(spec: zoo.BackboneSpec, path: Path | None) -> list[tuple[str, str]]:
    here = ("on this machine", str(path or f"no; {weights.how_to_get(spec)}"))
    if spec.carries_weights:
        return [("weights", "in the module"), ("from", spec.handle), here]
    file = spec.weights
    if file is None:
        return [("weights", "none published")]
    digest = f"sha256 {file.sha256}" if file.sha256 else f"md5 {file.md5 or '-'}"
    return [
        ("weights", f"{file.file_name} ({file.license}), {digest}"),
        ("from", weights.source_of(file)),
        here,
    ]


def _fetch(arguments: argparse.Namespace) -> None:
    found = fetching.fetch(
        arguments.names,
        to=arguments.to,
        offline=arguments.offline,
        allow_unpinned=arguments.allow_unpinned,
    )
    if arguments.json:
        _print_json({"weights": [dataclasses.asdict(one) for one in found]})
        return
    table = [(one.name, f"{one.bytes / 1e6:.1f} MB", one.path) for one in found]
    print(aligned([("name", "size", "verified file"), *table]))
    if arguments.to and any(one.sha256 for one in found):
        print(
            "On the other machine, give the file: --config.weights=PATH, or"
            " weights=PATH in Python."
        )
    if arguments.to and not all(one.sha256 for one in found):
        print(
            "On the other machine, give the folder of a module:"
            " --config.backbone=tfhub --config.handle=PATH."
        )


def _plan(arguments: argparse.Namespace) -> None:
    fields = [field.name for field in dataclasses.fields(RunConfig)]
    config = from_fields(
        {name: value for name, value in vars(arguments).items() if name in fields}
    )
    config = checked(config, writes=False)
    start_tensorflow()
    from pipelines.clock import Clock
    from pipelines.planning.plan import to_dict
    from pipelines.prepare import prepare

    clock = Clock()
    prepared = prepare(config, clock)
    evidence = prepared.measured.evidence
    values = {
        "plan": to_dict(prepared.plan),
        "evidence": None if evidence is None else dataclasses.asdict(evidence),
        "compute": dataclasses.asdict(prepared.compute),
        "seconds": {**clock.seconds, "total": clock.total_seconds},
    }
    if arguments.json:
        _print_json(values)
        return
    print(plan_table(values))


def _rank(arguments: argparse.Namespace) -> None:
    from pipelines.candidates import require_match
    from pipelines.data.reference import DatasetRef

    DatasetRef.parse(arguments.data)
    require_match(arguments.backbones)
    start_tensorflow()
    say_progress(sys.stderr)
    from pipelines.ranking import rank

    ranking = rank(arguments.data, backbones=arguments.backbones, seed=arguments.seed)
    values = dataclasses.asdict(ranking)
    if arguments.json:
        _print_json(values)
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
        _print_json(values)
        return
    print(f"split: {report.split}")
    print(evaluation_table(values))


def _predict(arguments: argparse.Namespace) -> None:
    if arguments.to:
        predicting.predict(arguments)
        return
    predicting.refuse_without_output(arguments)
    contents = [_read(path) for path in arguments.files]
    start_tensorflow()
    import pipelines
    from pipelines.data.example_files import parse_example
    from pipelines.data.printable import shown

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
        _print_json({"predictions": rows})
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
    start_tensorflow("tensorflow")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("zootune").setLevel(logging.INFO)
    serving.run(arguments)


def _shard(arguments: argparse.Namespace) -> None:
    from pipelines.clock import Clock
    from pipelines.data.reference import DatasetRef

    reference = DatasetRef.parse(arguments.data)
    start_tensorflow()
    from pipelines.data.shard import shard

    written = shard(
        reference,
        arguments.to,
        shards=arguments.shards,
        runner=arguments.runner,
        options=[f"--{option}" for option in arguments.option],
        on_progress=Clock().progress,
    )
    if arguments.json:
        _print_json(dataclasses.asdict(written))
        return
    for split, counts in written.counts.items():
        print(f"{split}: {sum(counts.values())} records")
    print(f"read them with: tfrecord:{arguments.to}")


def _publish(arguments: argparse.Namespace) -> None:
    start_tensorflow()
    import pipelines

    spec = pipelines.publish(arguments.run, name=arguments.name)
    module = own.module_folder(spec.name)
    if arguments.json:
        _print_json({**_summary(spec), "module": str(module)})
        return
    print(f"{spec.name}: {spec.modality}, {len(spec.blocks)} blocks,", end=" ")
    print(f"{spec.parameters:,} parameters, width {spec.feature_width}")
    print(f"to train from it:     zoo train --config.backbone={spec.name} ...")
    print(f"reusable SavedModel:  {module}")


def _report(arguments: argparse.Namespace) -> None:
    from pipelines.report import run_page
    from pipelines.workdir import Workdir

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
        Workdir(arguments.run).write_text(run_page.FILE_NAME, page)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    if arguments.json:
        _print_json({"report": str(path)})
        return
    print(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _doctor(arguments: argparse.Namespace) -> None:
    from pipelines import doctor

    found = doctor.examine()
    if arguments.json:
        _print_json(dataclasses.asdict(found))
        return
    print(doctor.as_text(found))


if __name__ == "__main__":
    sys.exit(main())
