"""The section of the config on a target domain."""

import dataclasses

from pipelines.config.options import option


@dataclasses.dataclass(slots=True)
class AdaptConfig:
    """Another domain that the head is to answer, whose examples need no labels."""

    target: str = option(
        "",
        help="Reference of examples of the domain to answer, such as dir:phone; labels"
        " in it are not used. A folder may hold the images themselves. Empty adapts to"
        " nothing.",
    )
    method: str = option(
        "auto",
        choices=(
            "auto",
            "none",
            "batchnorm",
            "standardise",
            "coral",
            "mcc",
            "shot",
            "dann",
            "confusion",
            "label_shift",
        ),
        help="The adaptation to the target. auto measures how far the target is, and"
        " says what could help; it adapts only where labelled examples show a gain."
        " none trains on the source alone, and measures too.",
    )
    labelled: str = option(
        "",
        help="Reference of at least 50 examples of the target in folders of their"
        " classes, for method=auto: they judge, or join training, whichever answers"
        " them better out of fold.",
    )
    units: int = option(
        256,
        low=1,
        high=65536,
        help="Width of the hidden layer of mcc, shot, dann and confusion.",
    )
    weight: float = option(
        1.0,
        low=0,
        high=1000,
        help="Weight of the loss on the target, for mcc, shot, dann and confusion.",
    )
    steps: int = option(
        1000,
        low=1,
        high=1_000_000,
        help="Steps that mcc, shot, dann and confusion train; shot twice as many.",
    )
