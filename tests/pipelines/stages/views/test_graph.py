"""One graph answers for an image and its mirror image."""

import keras
import numpy as np

import zoo
from pipelines.planning.plan import HeadPlan
from pipelines.stages.head import add_head
from pipelines.stages.views.graph import with_mirror
from zoo.graph.folding import folded
from zoo.graph.multiply_adds import multiply_adds


def _model():
    base = zoo.build("tiny_image", weights=None, input_size_px=16)
    plan = HeadPlan(
        reads=base.spec.block_names,
        grid=2,
        standardized=True,
        pooling="average",
        recurrent_units=1,
        hidden_units=(),
        dropout=0.0,
        init="epsilon",
    )
    return add_head(base, classes=3, plan=plan)


def test_the_answer_is_that_of_averaged_features():
    model = _model()
    both = with_mirror(model)
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3)).astype("float32")
    features = keras.Model(model.model.input, model.pooled)
    expected = (features(images) + features(images[:, :, ::-1])) / 2
    averaged = keras.Model(both.model.input, both.pooled)(images)
    np.testing.assert_allclose(averaged, expected, atol=1e-5)
    logits = both.model(images)
    # The head is linear, so the average of logits is the same.
    each = [model.model(view) for view in (images, images[:, :, ::-1])]
    np.testing.assert_allclose(logits, sum(each) / 2, atol=1e-5)
    mirrored = both.model(images[:, :, ::-1])
    np.testing.assert_allclose(mirrored, logits, atol=1e-5)
    fast = folded(both.model, in_inference=True)
    np.testing.assert_allclose(fast(images), logits, atol=1e-4)


def test_weights_are_shared_and_cost_is_double():
    model = _model()
    both = with_mirror(model)
    ours, theirs = ({id(w) for w in m.model.weights} for m in (both, model))
    assert ours == theirs
    head = model.logits_layer.kernel.shape
    once = multiply_adds(model.model) - head[0] * head[1]
    assert multiply_adds(both.model) == 2 * once + head[0] * head[1]
