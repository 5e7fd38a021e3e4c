"""What a head could read: from the last block to all of them in a grid."""

from pipelines.planning.head_inputs import HeadInput, LayerOutput, possible_head_inputs


def test_readings_go_from_simple_to_rich():
    outputs = [
        LayerOutput("stem", 32),
        LayerOutput("middle", 64),
        LayerOutput("end", 128),
    ]
    names = ("stem", "middle", "end")
    assert possible_head_inputs(outputs, cells=4) == (
        HeadInput(("end",), grid=1),
        HeadInput(names, grid=1),
        HeadInput(names, grid=2),
    )


def test_one_block_without_a_map_is_read_in_one_way():
    assert possible_head_inputs([LayerOutput("module", 512)], cells=1) == (
        HeadInput(("module",), grid=1),
    )


def test_of_wide_networks_evenly_spaced_blocks_are_read_and_the_last_always():
    outputs = [LayerOutput(f"block{i}", 2048) for i in range(16)]
    _, flat, gridded = possible_head_inputs(outputs, cells=4)
    assert flat.reads == tuple(f"block{i}" for i in range(1, 16, 2))
    assert gridded.reads == ("block7", "block15")
