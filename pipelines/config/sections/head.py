"""The section of the config on the new layers.

Annotations are not postponed, here and beside: see `schema`.
"""

import dataclasses

from pipelines.config.options import option


@dataclasses.dataclass(slots=True)
class HeadConfig:
    """The new layers on top of the backbone, and the phase that trains them alone."""

    reads: str = option(
        "auto",
        choices=("auto", "last", "all"),
        help="Blocks that the head reads, with pooling=average: the last one or all."
        " auto takes what a linear probe does best with on left-out examples.",
    )
    grid: int = option(
        0,
        low=0,
        high=2,
        help="Cells that a feature map is averaged in, with pooling=average: 1 is one"
        " average, 2 is 2 by 2 cells, 0 takes what a linear probe does best with.",
    )
    views: int = option(
        0,
        low=0,
        high=16,
        help="Views of each training image that the head is fitted to; all but one are"
        " random crops (augment.crop). 0 is 3 for at most 1,000 images, else 1.",
    )
    pooling: str = option(
        "average",
        choices=("average", "max", "flatten", "rnn", "gru", "lstm", "bigru", "bilstm"),
        help="From a feature map or sequence to one vector; rnn, gru, lstm, bigru and"
        " bilstm read the features of texts and series in order.",
    )
    recurrent_units: int = option(
        64,
        low=1,
        high=65536,
        help="Units of pooling by rnn, gru, lstm, bigru or bilstm, for each direction.",
    )
    hidden_units: tuple[int, ...] = option(
        (),
        low=1,
        high=65536,
        help="Widths of dense layers between features and logits; needs an init other"
        " than probe.",
    )
    dropout: float = option(
        0.0,
        low=0,
        high=0.95,
        help="Share of the head's inputs that is dropped in each training step.",
    )
    conv_blocks: int = option(
        -1,
        low=-1,
        high=8,
        help="New residual blocks under the head, which start as identity: convolutions"
        " on a map or a series, attention on the tokens of texts. -1 is 1 with"
        " strategy=cut and 0 else.",
    )
    cut_after: str = option(
        "",
        help="Name of the block that strategy=cut keeps as the last one. Empty takes"
        " the best single block, as measured.",
    )
    init: str = option(
        "probe",
        choices=("probe", "zeros", "epsilon"),
        help="Start of the head: probe solves for the logits in closed form, zeros"
        " starts from equal probabilities, epsilon from small random weights.",
    )
    epochs: int = option(
        10,
        low=0,
        high=10_000,
        help="Most passes over the training data that train the head alone.",
    )
    learning_rate: float = option(
        1e-3,
        low=1e-9,
        high=10,
        help="Learning rate while the head trains alone.",
    )
