"""Classifiers of spoken letters and numbers beside a ridge on averaged mel bands.

The letters and digits of the Debian packages `asterisk-core-sounds-en-wav` and
`-es-wav`: 334 files of one voice in two languages, most words once in each. A single
recording of a word cannot be learned and tested, so the classes are

* `language`: English or Spanish, of all files;
* `spoken`: a letter, a to z, or a number, written in figures in the name of the file;
* `folder`: the folder, `letters` or `digits`, of all files, with days, months, signs;
* `both`: language and folder together, four classes.

Each seed splits anew: 60 % to solve the head with (a tenth of all judges calibration
first), 40 % to test. The peer is a ridge, its strength by cross-validation, on mean and
deviation of each mel band.

Data:    apt-get download asterisk-core-sounds-en-wav asterisk-core-sounds-es-wav
         for each: dpkg-deb -x FILE FOLDER
Command: python -m benchmarks.sounds FOLDER [--backbone NAME] [--tasks NAME ...]
Cost:    fifteen CPU seconds a seed and task.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

LANGUAGES = {"en": "en_US_f_Allison", "es": "es_MX_f_Allison"}
SEEDS = range(5)
_NUMBER = re.compile(r"(h-)?\d+")


def _language(language: str, folder: str, name: str) -> str:
    return language


def _spoken(language: str, folder: str, name: str) -> str:
    if folder == "letters" and len(name) == 1:
        return "letter"
    is_number = folder == "digits" and _NUMBER.fullmatch(name)
    return "number" if is_number else ""


def _folder(language: str, folder: str, name: str) -> str:
    return folder


def _both(language: str, folder: str, name: str) -> str:
    return f"{language} {folder}"


TASKS: dict[str, Callable[[str, str, str], str]] = {
    "language": _language,
    "spoken": _spoken,
    "folder": _folder,
    "both": _both,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sounds", type=Path)
    parser.add_argument("--backbone", default="")
    parser.add_argument("--tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    options = parser.parse_args()
    for task in options.tasks:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "data"
            count = write(options.sounds, folder, TASKS[task])
            started = _cpu_seconds()
            pairs = [
                _accuracies(folder, seed, options.backbone)
                for seed in range(options.seeds)
            ]
            seconds = (_cpu_seconds() - started) / options.seeds
        for name, right in zip(("ours", "ridge on averages"), zip(*pairs)):
            shown = " ".join(f"{share:.4f}" for share in right)
            mean = f"{np.mean(right):.4f} ({shown})"
            print(f"{task}, {count} files, {name}: {mean}", flush=True)
        print(f"{task}: {seconds:.1f} CPU s a seed", flush=True)


def write(sounds: Path, target: Path, label: Callable[[str, str, str], str]) -> int:
    """Copies the files into class folders, and returns how many there are."""
    count = 0
    for language, voice in LANGUAGES.items():
        for folder in ("letters", "digits"):
            for path in sorted(sounds.glob(f"**/{voice}/{folder}/*.wav")):
                name = label(language, folder, path.stem)
                if not name:
                    continue
                (target / name).mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target / name / f"{language}_{folder}_{path.name}")
                count += 1
    return count


def _accuracies(folder: Path, seed: int, backbone: str) -> tuple[float, float]:
    """The accuracies on test of what a run would export, and of the peer."""
    from pipelines.config import RunConfig, checked
    from pipelines.data.reference import DatasetRef
    from pipelines.runs.prepare import prepare
    from pipelines.runtime.clock import Clock
    from pipelines.stages.finetune import fine_tune
    from pipelines.stages.head import add_head
    from pipelines.stages.outputs import outputs
    from pipelines.training.phases.workspace import Workspace

    reference = f"dir:{folder}?validation=0.1&test=0.4&seed={seed}"
    with tempfile.TemporaryDirectory() as scratch:
        config = checked(
            RunConfig(
                data=reference,
                backbone=backbone,
                seed=seed,
                precision="float32",
                workdir=scratch,
            )
        )
        prepared = prepare(config, DatasetRef.parse(config.data), Clock())
        splits = prepared.splits
        model = add_head(prepared.base, **prepared.head())
        if prepared.plan.phases:
            history = Path(scratch) / "history.jsonl"
            workspace = Workspace(history, Path(scratch) / "tensorboard")
            fine_tune(model, splits, prepared.plan, workspace)
        (test,) = outputs(
            model,
            [splits.test],
            batch_size=config.batch_size,
            known=prepared.measured.known,
        )
    ours = float((test.logits.argmax(axis=1) == test.labels).mean())
    return ours, _peer(splits)


def _peer(splits) -> float:
    """The accuracy of a ridge on mean and deviation of the mel bands."""
    import tensorflow as tf
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from zoo.catalog.sounds import BANDS
    from zoo.sounds.log_mel import LogMel

    inputs = splits.train.inputs
    layer = LogMel(rate_hz=inputs.rate_hz, length_ms=inputs.length_ms, bands=BANDS)

    def features(split) -> np.ndarray:
        bands = layer(tf.constant(split.inputs.values)).numpy()
        averages = [np.nanmean(bands, axis=1), np.nanstd(bands, axis=1)]
        return np.concatenate(averages, axis=1)

    known = [splits.train, splits.validation]
    x = np.concatenate([features(split) for split in known])
    y = np.concatenate([split.labels for split in known])
    strengths = np.logspace(-2, 4, 13)
    model = make_pipeline(StandardScaler(), RidgeClassifierCV(strengths)).fit(x, y)
    return float(model.score(features(splits.test), splits.test.labels))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
