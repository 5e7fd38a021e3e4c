"""What one phase fits: its data, in their order."""

import numpy as np

from pipelines.data.input.batches import steps_per_epoch
from pipelines.planning.policy import decide
from pipelines.runtime.clock import Clock
from pipelines.stages.base import freeze_base
from pipelines.stages.head import add_head
from pipelines.stages.measure import measure, training_facts
from pipelines.stages.obtain import obtain
from pipelines.training.phases.task import PhaseInputs, make_task
from pipelines.training.phases.workspace import Workspace
from tests.support.tiny_stages import IMAGES, tiny_config


def test_views_take_turns_over_the_epochs(tmp_path, splits):
    config = tiny_config(strategy="head_only")
    base = freeze_base(obtain(config, IMAGES))
    measured = measure(base, splits, config, Clock())
    plan = decide(training_facts(base, splits, measured), config)
    model = add_head(base, classes=10, plan=plan.head)
    _, validation = measured.head_features(plan.head)
    count, width = len(splits.train), validation.shape[1]
    rows = np.repeat(np.arange(3 * count, dtype=np.float32)[:, None], width, axis=1)
    workspace = Workspace(
        history_path=tmp_path / "history.jsonl",
        tensorboard_dir=tmp_path / "tensorboard",
        head_features=(rows, validation),
    )
    (phase,) = plan.phases
    task = make_task(PhaseInputs(model, splits, plan, phase, workspace, seed=0))
    steps = steps_per_epoch(splits.train, plan.batch_size)
    read = task.train.take(3 * steps).as_numpy_iterator()
    seen, labels = (np.concatenate(column) for column in zip(*read))
    row, example = seen[:, 0].astype(int), seen[:, 0].astype(int) % count
    np.testing.assert_array_equal(labels, splits.train.labels[example])
    for epoch in range(3):
        once = example[epoch * count : (epoch + 1) * count]
        np.testing.assert_array_equal(np.sort(once), np.arange(count))
    np.testing.assert_array_equal(np.sort(row), np.arange(3 * count))
