"""Measurements of the data and the backbone before training."""

from __future__ import annotations

import dataclasses

from pipelines.planning.boundary import DepthEvidence
from pipelines.planning.similarity import BlockDivergence, SourceAnswers


@dataclasses.dataclass(frozen=True)
class ProbeScore:
    """The score of a linear classifier on the pooled outputs of some blocks.

    `reads` names the blocks and `grid` is the side of the grid of cells that their maps
    are averaged over; `width` is the length of the feature vector. `accuracy` and
    `squared_error` are of examples left out of the fit, each with its group. `penalty`
    is the ridge penalty with the smallest error there, `sharpness` the factor from its
    scores to logits, and `intercepts` what is added then, a number for each logit.

    Where the problem is not single_label, `accuracy` is the metric that it compares.
    """

    reads: tuple[str, ...]
    grid: int
    width: int
    accuracy: float
    standard_error: float
    squared_error: float
    penalty: float
    sharpness: float
    intercepts: tuple[float, ...] = ()

    @property
    def quality(self) -> tuple[float, float]:
        """Greater is better: the accuracy, and between equals smaller errors."""
        return self.accuracy, -self.squared_error


@dataclasses.dataclass(frozen=True)
class Evidence:
    """The results of one pass over some of the training examples.

    `depths` has every block alone, from input to output; `heads` has the inputs that a
    head could read, from simple to rich. `pixel_accuracy` is the accuracy of the same
    classifier on tiny thumbnails instead of features, `majority_accuracy` the accuracy
    of the most frequent class for every example. `divergences` are of the blocks with
    BatchNorm, and `source_answers` of the source's classifier, where the weights carry
    it; random weights have neither. A head is fitted to `views` of every example.

    `depth` compares the best single block with the last one, and `cuts` has the inputs
    that a head could read where the network is cut, from simple to rich; both are empty
    where that was not compared.

    `metric` is what scores are of. `examples` were left out in turn. Where many classes
    need a larger fit, it had `fitted_examples`; else that is 0.
    """

    examples: int
    depths: tuple[ProbeScore, ...]
    heads: tuple[ProbeScore, ...]
    majority_accuracy: float
    pixel_accuracy: float | None
    examples_per_second: float
    views: int = 1
    divergences: tuple[BlockDivergence, ...] = ()
    source_answers: SourceAnswers | None = None
    fitted_examples: int = 0
    metric: str = "accuracy"
    depth: DepthEvidence | None = None
    cuts: tuple[ProbeScore, ...] = ()

    @property
    def best_head(self) -> ProbeScore:
        """The most accurate input of a head."""
        return max(self.heads, key=lambda score: score.quality)

    @property
    def best_depth(self) -> ProbeScore:
        """The most accurate single block."""
        return max(self.depths, key=lambda score: score.quality)

    @property
    def is_similar(self) -> bool:
        """True if no earlier block is clearly better than the last one.

        The last blocks of a network are specific to the source; where an earlier one is
        clearly better for the target, source and target are different. Clear is a gain
        of two standard errors on the same examples, or where blocks were not compared
        on them, of the standard error of the best.
        """
        if self.depth is not None:
            return not self.depth.over_last.is_clear
        best = self.best_depth
        return best.accuracy - self.depths[-1].accuracy <= best.standard_error
