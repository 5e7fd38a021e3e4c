"""What was measured of the data and the backbone before anything is trained."""

from __future__ import annotations

import dataclasses

from pipelines.planning.similarity import BlockDivergence, SourceAnswers


@dataclasses.dataclass(frozen=True)
class ProbeScore:
    """How well a linear classifier does on the pooled outputs of some blocks.

    `reads` names the blocks and `grid` is the side of the grid of cells that their maps
    are averaged over; `width` is the length of the feature vector. `accuracy` and
    `squared_error` are those of examples left out of the fit, each with its group.
    `penalty` is the ridge's that did best there, and `sharpness` the factor that makes
    logits of its scores.
    """

    reads: tuple[str, ...]
    grid: int
    width: int
    accuracy: float
    standard_error: float
    squared_error: float
    penalty: float
    sharpness: float

    @property
    def quality(self) -> tuple[float, float]:
        """Greater is better: the accuracy, and between equals smaller errors."""
        return self.accuracy, -self.squared_error


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What one pass over some of the training examples told.

    `depths` has every block alone, from input to output; `heads` what a head could
    read, from simple to rich. `pixel_accuracy` is that of the same classifier on tiny
    thumbnails instead of features, `majority_accuracy` that of always saying the most
    frequent class. `divergences` are those of the blocks with BatchNorm, and
    `source_answers` what the source's classifier says, where the weights carry it;
    neither is there for random weights. A head is fitted to `views` of every example.

    `examples` were left out in turn to be judged. Where there are so many classes that
    a fit needs more, it was to `fitted_examples`; else that is 0.
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

    @property
    def best_head(self) -> ProbeScore:
        """The most accurate one."""
        return max(self.heads, key=lambda score: score.quality)

    @property
    def best_depth(self) -> ProbeScore:
        return max(self.depths, key=lambda score: score.quality)

    @property
    def is_similar(self) -> bool:
        """Whether the last block is best, or within a standard error of it.

        What the last blocks of a network have learned is about the source; where an
        earlier one serves the target clearly better, the two are different.
        """
        best = self.best_depth
        return best.accuracy - self.depths[-1].accuracy <= best.standard_error
