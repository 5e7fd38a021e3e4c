"""The section of the config on a teacher."""

import dataclasses

from pipelines.config.options import option


@dataclasses.dataclass(slots=True)
class DistilConfig:
    """A finished run whose answers are learned beside the labels."""

    teacher: str = option(
        "",
        help="Folder of a finished run on the same data, whose calibrated answers are"
        " learned beside the labels. Empty learns from labels alone.",
    )
    unlabelled: str = option(
        "",
        help="Reference of more examples for the teacher to answer, such as"
        " dir:more; labels in it are not used. A folder may hold the images"
        " themselves.",
    )
    temperature: float = option(
        2.0,
        low=1,
        high=100,
        help="Temperature of the answers of both networks in the loss: more shows more"
        " of how alike classes are.",
    )
    weight: float = option(
        0.9,
        low=0,
        high=1,
        help="Share of the teacher in the loss; the rest is of the labels.",
    )
