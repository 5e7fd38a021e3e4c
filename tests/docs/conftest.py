"""The finished run that the tests of the pipeline share, for the reference too."""

from tests.pipelines.conftest import finished_run  # noqa: F401
