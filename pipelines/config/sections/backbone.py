"""The section of the config on the choice of a backbone."""

import dataclasses

from pipelines.config.options import option


@dataclasses.dataclass(slots=True)
class AutoConfig:
    """The choice of backbone=auto among those whose weights are on this machine."""

    backbones: str = option(
        "*",
        help="Pattern of the backbones that backbone=auto compares, such as"
        " 'efficientnet*'.",
    )
    budget_share: float = option(
        0.2,
        low=0.01,
        high=0.9,
        help="Largest share of time_budget_seconds that comparing them takes.",
    )
