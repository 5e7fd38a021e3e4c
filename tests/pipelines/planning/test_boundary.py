"""What stays and what trains: by size, by name, and by a paired gain."""

import pytest

from pipelines.errors import ConfigError
from pipelines.planning.boundary import (
    PairedGain,
    blocks_from,
    last_share,
    unfrozen_share,
)

BLOCKS = ("stem", "block1", "block2")


@pytest.mark.parametrize(
    ("per_class", "share"),
    [(0.5, 0.0), (5, 0.0), (20, 0.4628), (50, 0.7686), (100, 1.0), (10**6, 1.0)],
)
def test_share_grows_with_examples_per_class(per_class, share):
    assert unfrozen_share(per_class) == pytest.approx(share, abs=1e-4)


def test_share_of_blocks_is_rounded_up():
    assert last_share(BLOCKS, 0.0) == ()
    assert last_share(BLOCKS, 0.01) == ("block2",)
    assert last_share(BLOCKS, 0.34) == ("block1", "block2")
    assert last_share(BLOCKS, 1.0) == BLOCKS
    assert last_share(("module",), 0.1) == ("module",)


def test_named_block_and_all_after_it():
    where = {"field": "finetune.from_block", "backbone": "tiny_image"}
    assert blocks_from(BLOCKS, "block1", **where) == ("block1", "block2")
    with pytest.raises(
        ConfigError,
        match=r"from_block is 'blok1', and the backbone 'tiny_image' has no such block"
        r"\. Did you mean 'block1'\? Its blocks in order are stem, block1, block2\.",
    ):
        blocks_from(BLOCKS, "blok1", **where)


def test_clear_gain_is_two_standard_errors():
    assert PairedGain(0.05, 0.02).is_clear
    assert not PairedGain(0.04, 0.02).is_clear
    assert not PairedGain(0.0, 0.0).is_clear
