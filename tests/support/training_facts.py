"""Facts about training data and evidence, as a run would measure them."""

from __future__ import annotations

from pipelines.planning.boundary import DepthEvidence, PairedGain
from pipelines.planning.evidence import Evidence, ProbeScore
from pipelines.planning.training_facts import TrainingFacts

BLOCKS = tuple(f"block{i}" for i in range(5))
FACTS = TrainingFacts(examples=200, classes=2, block_names=BLOCKS)


def score(accuracy, *reads, grid=1):
    return ProbeScore(
        reads=reads,
        grid=grid,
        width=8,
        accuracy=accuracy,
        standard_error=0.02,
        squared_error=1 - accuracy,
        penalty=0.1,
        sharpness=5.0,
    )


def measured_facts(
    *,
    heads=(0.7, 0.8, 0.9),
    depths=(0.5, 0.6, 0.7, 0.7, 0.7),
    pixels=0.3,
    depth=None,
    cuts=(),
    **k,
):
    last, flat, gridded = heads
    evidence = Evidence(
        examples=200,
        depths=tuple(score(a, name) for a, name in zip(depths, BLOCKS)),
        heads=(
            score(last, BLOCKS[-1]),
            score(flat, *BLOCKS),
            score(gridded, *BLOCKS, grid=2),
        ),
        majority_accuracy=0.5,
        pixel_accuracy=pixels,
        examples_per_second=100.0,
        depth=depth,
        cuts=cuts,
    )
    facts = {"examples": 200, "classes": 2, "block_names": BLOCKS, "evidence": evidence}
    return TrainingFacts(**(facts | k))


def facts_to_cut(*, gain=0.0, clear=True, accuracy=0.9, **k):
    """Facts where block2 is the best single one, and a cut after it gains so much."""
    depth = DepthEvidence(
        block="block2",
        over_last=PairedGain(0.1, 0.02 if clear else 0.06),
        cut_after="block2",
        of_cut=PairedGain(gain, 0.01),
    )
    cuts = (
        score(0.7, "block2"),
        score(0.8, *BLOCKS[:3]),
        score(accuracy, *BLOCKS[:3], grid=2),
    )
    return measured_facts(depths=(0.5, 0.6, 0.8, 0.7, 0.7), depth=depth, cuts=cuts, **k)
