import pytest

from tests.faults.runs import Parts, make_parts


@pytest.fixture(scope="session")
def parts() -> Parts:
    return make_parts()
