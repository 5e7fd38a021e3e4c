import keras
import numpy as np

from pipelines.methods.meta import comparison
from pipelines.methods.meta.comparison import compared, losses_of
from pipelines.methods.meta.tasks import draw_tasks
from pipelines.methods.meta.update_rule import new_rule


def test_each_peer_has_a_row_at_each_step(parts, tasks, monkeypatch):
    monkeypatch.setattr(comparison, "MARKS", (1, 3))
    monkeypatch.setattr(comparison, "_TASKS", 3)
    monkeypatch.setattr(comparison, "_RATES", {"sgd": (0.1, 1e-9), "adam": (0.1,)})
    rows = compared(new_rule(0), *parts, tasks)
    assert [(row.step, row.peer) for row in rows if row.examples == "fitted"] == [
        *((1, "sgd"), (3, "sgd")),
        *((1, "adam"), (3, "adam")),
    ]
    assert len(rows) == 8
    # The rate that learns nothing on tuning tasks is not the one that is judged.
    assert {row.rate for row in rows} == {0.1}
    for row in rows:
        np.testing.assert_allclose(row.gain, row.loss - row.learned, atol=1e-6)


def test_losses_are_those_of_each_task_alone(parts, tasks, monkeypatch):
    monkeypatch.setattr(comparison, "MARKS", (4,))
    drawn = draw_tasks(parts[0].labels, tasks, width=6, steps=4, count=2, seed=(0, 1))
    losses = losses_of(keras.optimizers.SGD(0.1), parts[0].features, drawn)
    assert losses.shape == (2, 1, 2)
    dense = keras.layers.Dense(2)
    model = keras.Sequential([keras.Input((6,)), dense])
    dense.set_weights([drawn.start[1, :-1], drawn.start[1, -1]])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss)
    rows = parts[0].features
    for batch, labels in zip(drawn.batches[:, 1], drawn.batch_labels[:, 1]):
        model.train_on_batch(rows[batch], labels)
    fitted = model.test_on_batch(rows[drawn.support[1]], drawn.support_labels[1])
    unseen = model.test_on_batch(rows[drawn.queries[1]], drawn.query_labels[1])
    np.testing.assert_allclose(losses[:, 0, 1], [fitted, unseen], rtol=1e-5)
    assert (losses[:, 0, 0] != losses[:, 0, 1]).all()
