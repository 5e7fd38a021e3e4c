"""The inputs of a head: from the last block to all of them in a grid."""

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


def test_single_block_has_one_input():
    assert possible_head_inputs([LayerOutput("module", 512)], cells=1) == (
        HeadInput(("module",), grid=1),
    )


def test_wide_networks_are_read_evenly_spaced():
    outputs = [LayerOutput(f"block{i}", 2048) for i in range(16)]
    _, flat, gridded = possible_head_inputs(outputs, cells=4)
    assert flat.reads == tuple(f"block{i}" for i in range(1, 16, 2))
    assert gridded.reads == ("block7", "block15")
