"""A learned optimizer beside tuned Adam and SGD, on heads for digits it never saw.

Meta-training draws tasks of three of five digits, 28 x 28 pixels as features; judged
are 20 tasks of the other five. The peers' rates are those with the least loss at that
very step on new tasks of the first five. Seed 0 was for development.

Command: python -m benchmarks.learned_optimizer [--seeds 1,2,3] [--rounds 60]
Cost:    about two minutes a seed on two cores.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.problem_data import digits
from pipelines.methods.few_shot.episodes import Setting
from pipelines.methods.few_shot.evaluation import Examples
from pipelines.methods.meta.comparison import Compared, compared
from pipelines.methods.meta.meta_training import MetaSetting, meta_train
from pipelines.methods.meta.tasks import TaskSetting, halves

_EPISODE = Setting(ways=3, shots=50, queries=30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--rounds", type=int, default=60)
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    found = [_of_seed(seed, arguments.rounds) for seed in seeds]
    for rows in zip(*found):
        gains = np.array([row.gain for row in rows])
        pooled = np.sqrt(np.sum([row.interval**2 for row in rows])) / len(rows)
        print(
            f"{rows[0].examples}, step {rows[0].step}, {rows[0].peer}: loss"
            f" {np.mean([row.learned for row in rows]):.4f} against"
            f" {np.mean([row.loss for row in rows]):.4f}, gain {gains.mean():+.4f}"
            f" ± {pooled:.4f} (95 % over all tasks); lower in {np.sum(gains > 0)} of"
            f" {len(rows)} seeds"
        )


def _of_seed(seed: int, rounds: int) -> tuple[Compared, ...]:
    pixels, labels = digits()
    read = Examples(pixels.reshape(len(pixels), -1).astype(np.float32), labels)
    episode = Setting(_EPISODE.ways, _EPISODE.shots, _EPISODE.queries, seed=seed)
    seen, held_out = halves(read, episode, where="mnist_5k")
    setting = MetaSetting(TaskSetting(episode), rounds=rounds)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        rule, losses = meta_train(
            seen,
            setting,
            progress_file=Path(folder) / "progress.npz",
            settings={},
            on_progress=lambda _: None,
        )
    seconds = time.monotonic() - started
    print(
        f"seed {seed}: meta-training {seconds:.0f} s, loss of a round {losses[0]:.3f}"
        f" to {np.mean(losses[-10:]):.3f}",
        flush=True,
    )
    rows = compared(rule, seen, held_out, setting.tasks)
    for row in rows:
        print(f"  {row}", flush=True)
    return rows


if __name__ == "__main__":
    main()
