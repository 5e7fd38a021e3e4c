"""Detectors are compared by normal examples, and changed copies of them."""

import dataclasses

import keras
import numpy as np
import pytest

import zoo
from pipelines.config import RunConfig
from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.planning.plan import from_dict, to_dict
from pipelines.probing.detector import fit_detector
from pipelines.runtime.clock import Clock
from pipelines.stages.base import fit_base, freeze_base
from pipelines.stages.head import add_head
from pipelines.stages.measure import measure
from pipelines.stages.outputs import fingerprint
from pipelines.stages.plan import choose_plan
from tests.support.detectors import publish

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """Two halves of grey: a pasted patch shows at a place, and hardly in the whole."""
    pixels = RNG.integers(120, 124, (150, 32, 32, 3)).astype(np.uint8)
    pixels[:, :, 16:] += 60
    path = tmp_path_factory.mktemp("normal") / "normal.npz"
    np.savez(path, x=pixels, y=np.array(["normal"] * 150))
    reference = DatasetRef.parse(f"npz:{path}")
    return check_and_split(read(reference, "anomaly"), reference)


@pytest.fixture(scope="module")
def base():
    keras.utils.set_random_seed(0)
    return freeze_base(zoo.build("tiny_image", weights=None, input_size_px=32))


def config(method="auto"):
    made = RunConfig(backbone="tiny_image", weights="none", problem="anomaly")
    made.anomaly.method = method
    return made


def test_auto_measures_and_records_its_choice(base, splits):
    measured = measure(base, splits, config(), Clock())
    methods = [score.method for score in measured.detectors]
    assert methods == ["pca", "dfm", "nearest", "padim", "sum"]
    assert all(0 <= score.auroc <= 1 for score in measured.detectors)
    areas = {score.method: score.auroc for score in measured.detectors}
    assert areas["padim"] > 0.6
    plan = choose_plan(base, splits, measured, config())
    assert plan.head.detector in methods
    assert plan.head.detectors == measured.detectors
    assert f"padim {areas['padim']:.3f}" in plan.reason
    assert from_dict(to_dict(plan)) == plan
    again = measure(base, splits, config(), Clock())
    assert again.detectors == measured.detectors


def test_a_source_is_judged_beside_all_others(base, splits, tmp_path):
    """A source that knows nothing of the data is not taken, and that is said."""
    alone = measure(base, splits, config(), Clock())
    plan = choose_plan(base, splits, alone, config())
    reads = [(name, plan.head.grid) for name in plan.head.reads]
    width = sum(alone.train[key].shape[1] for key in reads)
    known = fit_detector([RNG.normal(size=(40, width))]).of_method("dfm")
    own = {"backbone": fingerprint(base), "reads": plan.head.reads}
    asked = config()
    asked.anomaly.transfer = str(publish(known, tmp_path / "1", **own))
    measured = measure(base, splits, asked, Clock())
    assert measured.detectors[:-2] == alone.detectors
    ways = [score.method for score in measured.detectors[-2:]]
    assert ways == ["transfer:as_is", "transfer:threshold"]
    chosen = choose_plan(base, splits, measured, asked)
    assert (chosen.head.transfer, chosen.head.detector) == ("", plan.head.detector)
    assert chosen.head.source == measured.source.digest
    assert "not taken, which would be negative transfer" in chosen.reason
    assert from_dict(to_dict(chosen)) == chosen


def test_a_named_method_compares_nothing(base, splits):
    measured = measure(base, splits, config("dfm"), Clock())
    assert measured.detectors == ()
    plan = choose_plan(base, splits, measured, config("dfm"))
    assert (plan.head.detector, plan.head.detectors) == ("dfm", ())


def test_a_head_of_patches_scores_every_cell(base, splits):
    measured = measure(base, splits, config("patchcore"), Clock())
    plan = choose_plan(base, splits, measured, config("patchcore"))
    assert (plan.head.detector, measured.detectors) == ("patchcore", ())
    assert plan.reason.endswith("Method: patchcore, on cells.")
    probe = measured.probe(plan.head)
    layers = measured.problem.output_layers(probe)
    model = add_head(
        base, classes=0, plan=plan.head, probe=probe, output_layers=layers
    ).model
    some = splits.train.take(np.arange(6))
    strange = some.inputs.pixels.copy()
    strange[3:, 4:12, 4:12] = RNG.integers(0, 256, (3, 8, 8, 3))
    scores = np.asarray(model(strange))
    assert scores.shape == (6, 1 + probe.bank.cells)
    assert scores[3:, 0].min() > 2 * scores[:3, 0].max()


def test_too_few_examples_leave_the_usual_choice(base, splits):
    few = dataclasses.replace(splits, train=splits.train.take(np.arange(8)))
    measured = measure(base, few, config(), Clock())
    plan = choose_plan(base, few, measured, config())
    assert (plan.head.detector, measured.detectors) == ("dfm", ())
    assert "Too few normal examples" in plan.reason


def test_series_are_compared_by_features_alone(tmp_path):
    waves = np.sin(np.linspace(0, 12, 60) + RNG.uniform(0, 1, (40, 1)))
    np.savez(tmp_path / "x.npz", x=np.float32(waves)[..., None], y=["normal"] * 40)
    reference = DatasetRef.parse(f"npz:{tmp_path}/x.npz")
    own = check_and_split(read(reference, "anomaly"), reference)
    rocket = zoo.build("series_minirocket", weights=None, input_length=60, channels=1)
    rocket = fit_base(freeze_base(rocket), own.train, seed=0)
    series = RunConfig(problem="anomaly")
    measured = measure(rocket, own, series, Clock())
    areas = {score.method: score.auroc for score in measured.detectors}
    assert list(areas) == ["pca", "dfm", "nearest"]
    assert areas["nearest"] > 0.7
    assert measured.series is None
