import argparse

import pytest

from pipelines.commands.feature_flags import add_feature_flags, source_of
from pipelines.methods.few_shot.features import Source


@pytest.mark.parametrize("reads", ["last", "all"])
def test_flags_are_the_source_they_ask_for(reads):
    parser = argparse.ArgumentParser()
    add_feature_flags(parser, reads=reads)
    assert source_of(parser.parse_args([])) == Source(reads=reads)
    flags = ["--backbone", "tiny_image", "--weights", "none", "--input-size-px", "32"]
    asked = source_of(parser.parse_args([*flags, "--reads", "last", "--seed", "4"]))
    assert asked == Source("tiny_image", "none", 32, "last", 4)
