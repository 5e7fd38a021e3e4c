"""Spec and model agree, and every weight lies in exactly one block."""

import keras
import pytest

from tests.zoo.contract.subjects import differ, run

# How many tensors cross the widest boundary, where it is not one: every cell of NASNet
# reads the two before it.
CROSSING = {"nasnet_mobile": 2, "nasnet_large": 2}
# Beside its features, a text has the mask of what is padding.
CROSSING_OF_TEXTS = 2
FEWEST_BLOCKS = 2


def test_model_takes_what_it_was_built_for(backbone):
    takes = backbone.spec.input
    size, length = backbone.input_size_px, backbone.input_length
    shapes = {
        "image": ("pixels", (None, size, size, 3)),
        "text": ("text", (None,)),
        "series": ("series", (None, length, getattr(takes, "channels", 1))),
        "table": ("table", (None, len(getattr(takes, "columns", ())))),
        "sound": ("sound_bytes", (None,)),
    }
    given = backbone.model.input
    assert (given.name, given.shape) == shapes[backbone.spec.modality]


def test_features_have_the_width_of_the_spec(backbone):
    ranks = {
        "image": (4,),
        "text": (2, 3),
        "series": (2, 3),
        "sound": (2, 4),
        "table": (2,),
    }
    rank = ranks[backbone.spec.modality]
    _, *places, width = backbone.model.output_shape
    assert len(places) + 2 in rank
    assert width == backbone.spec.feature_width
    assert min(places, default=1) >= 1


def test_parameters_are_as_many_as_the_spec_says(backbone):
    assert backbone.model.count_params() == backbone.spec.parameters


def test_blocks_match_the_spec_and_are_not_empty(backbone):
    names = tuple(block.name for block in backbone.blocks)
    assert names == backbone.spec.block_names
    # A module is one block, because nobody can see inside; so are fitted features.
    is_one = backbone.spec.carries_weights or backbone.spec.fitted
    assert len(names) >= (1 if is_one else FEWEST_BLOCKS)
    assert all(block.layers for block in backbone.blocks)
    assert all(block.variables for block in backbone.blocks)
    assert backbone.blocks[-1].output is backbone.model.output


def test_boundaries_lie_between_connections(backbone):
    """More tensors across one than the table has mean that it cuts through a unit."""
    widths = {len(block.frontier) for block in backbone.blocks}
    if backbone.spec.modality == "text":
        assert max(widths) <= CROSSING_OF_TEXTS
    else:
        assert max(widths) == CROSSING.get(backbone.spec.name, 1)
    assert all(block.output in block.frontier for block in backbone.blocks)


def test_layers_and_weights_have_exactly_one_block(backbone):
    layers = [layer for block in backbone.blocks for layer in block.layers]
    weights = [weight for block in backbone.blocks for weight in block.variables]
    assert len(layers) == len(backbone.model.layers) > 0
    assert set(_identities(layers)) == set(_identities(backbone.model.layers))
    assert len(weights) == len(backbone.model.variables) > 0
    assert set(_identities(weights)) == set(_identities(backbone.model.variables))


@pytest.mark.family
def test_blocks_do_not_depend_on_earlier_builds(backbone, twin):
    """Keras numbers names per process; boundaries count within a network."""
    counts = any("#" in block.layer for block in backbone.spec.blocks or ())
    # KerasHub names all layers of a network itself.
    if counts and backbone.spec.source != "kerashub":
        names, others = ([x.name for x in b.model.layers] for b in (backbone, twin))
        assert names != others, "it has no numbered layers"
    assert _signature(backbone) == _signature(twin)


def _signature(backbone):
    """The content of the blocks, without names."""
    return [
        (
            block.name,
            [type(layer).__name__ for layer in block.layers],
            [tuple(variable.shape) for variable in block.variables],
            [tuple(tensor.shape) for tensor in block.frontier],
        )
        for block in backbone.blocks
    ]


@pytest.mark.family
def test_the_network_comes_apart_at_a_frontier(subject, backbone):
    """Two models around a middle block share the layers and give the same."""
    if len(backbone.blocks) == 1:
        pytest.skip("there is no frontier inside a single block")
    index = len(backbone.blocks) // 2 - 1
    frontier = list(backbone.blocks[index].frontier)
    lower = keras.Model(backbone.model.input, frontier)
    upper = keras.Model(frontier, backbone.model.output)
    below, above = (
        {id(layer) for block in blocks for layer in block.layers}
        for blocks in (backbone.blocks[: index + 1], backbone.blocks[index + 1 :])
    )
    assert set(_identities(lower.layers)) == below
    assert set(_identities(_layers_without_inputs(upper))) == above
    joined = run(upper, lower(subject.inputs, training=False))
    assert differ(joined, subject.features) < 1e-5


def _layers_without_inputs(model):
    return [
        layer
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]


def _identities(things):
    return [id(thing) for thing in things]
