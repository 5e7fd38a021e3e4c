"""Two domains of digits, and the preparations of a run on them."""

import dataclasses

import pytest

from pipelines.config.sections.adapt import AdaptConfig
from pipelines.data.reference import DatasetRef
from pipelines.runs.prepare import prepare
from pipelines.runtime.clock import Clock
from tests.support import two_domains
from tests.support.small_runs import config_for


@pytest.fixture(scope="session")
def domains_folder(tmp_path_factory):
    return two_domains.write(tmp_path_factory.mktemp("two_domains"))


@pytest.fixture(scope="session")
def adapting(domains_folder, tmp_path_factory):
    """A config with a target, for other methods and steps."""

    def config(method="auto", **fields):
        target = f"npz:{domains_folder / two_domains.TARGET}"
        return config_for(
            tmp_path_factory.mktemp("adapting") / "run",
            data=f"npz:{domains_folder / two_domains.SOURCE}",
            adapt=AdaptConfig(
                **{
                    "target": target,
                    "method": method,
                    "units": 32,
                    "steps": 150,
                    **fields,
                }
            ),
        )

    return config


@pytest.fixture(scope="session")
def prepared(adapting):
    """The preparations with a target and labelled examples of it."""
    config = adapting()
    labelled = config.adapt.target.replace(two_domains.TARGET, two_domains.LABELLED)
    adapt = dataclasses.replace(config.adapt, labelled=labelled)
    config = dataclasses.replace(config, adapt=adapt)
    return prepare(config, DatasetRef.parse(config.data), Clock())
