"""Boundaries to blocks, on networks small enough to see through."""

import keras
import pytest
from keras import layers

from zoo.errors import BackboneError
from zoo.graph.blocks import find_blocks
from zoo.spec import OUTPUT, Boundary


def _ends(*layer_names):
    return [Boundary(f"block{n}", name) for n, name in enumerate(layer_names)]


def _names(block):
    return [layer.name for layer in block.layers]


@pytest.fixture
def chain():
    """input, a, b, c, d: four layers in a row."""
    x = inputs = keras.Input((4,), name="input")
    for name in "abcd":
        x = layers.Dense(4, name=name)(x)
    return keras.Model(inputs, x)


@pytest.fixture
def skipping():
    """input, a, b, c where c reads both a and b."""
    inputs = keras.Input((4,), name="input")
    a = layers.Dense(4, name="a")(inputs)
    b = layers.Dense(4, name="b")(a)
    return keras.Model(inputs, layers.Add(name="c")([a, b]))


def test_a_chain_falls_apart_at_its_boundaries(chain):
    first, second = find_blocks(chain, _ends("b", OUTPUT))
    assert (first.name, second.name) == ("block0", "block1")
    assert _names(first) == ["input", "a", "b"]
    assert _names(second) == ["c", "d"]
    assert first.output is chain.get_layer("b").output
    assert first.frontier == (first.output,)
    assert second.output is chain.output
    assert second.frontier == (chain.output,)


def test_a_block_holds_each_of_its_weights_once(chain):
    first, second = find_blocks(chain, _ends("b", OUTPUT))
    paths = [
        [variable.path for variable in block.variables] for block in (first, second)
    ]
    assert paths == [
        ["a/kernel", "a/bias", "b/kernel", "b/bias"],
        ["c/kernel", "c/bias", "d/kernel", "d/bias"],
    ]


def test_fixed_weights_belong_to_a_block_too():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.BatchNormalization(name="norm")(inputs))
    (block,) = find_blocks(model, _ends(OUTPUT))
    assert len(block.variables) == 4


def test_an_unknown_boundary_is_refused(chain):
    with pytest.raises(BackboneError, match=r"'block0' should end at 'z'.*0 such"):
        find_blocks(chain, _ends("z", OUTPUT))


def test_boundary_beyond_the_last_layer_is_refused(chain):
    with pytest.raises(BackboneError, match=r"'Dense#5'.*last layers are .*'d'"):
        find_blocks(chain, _ends("Dense#5", OUTPUT))


def test_boundaries_out_of_order_are_refused(chain):
    with pytest.raises(BackboneError, match="'block1' .* empty: its boundary 'a' lies"):
        find_blocks(chain, _ends("b", "a", OUTPUT))


def test_a_boundary_given_twice_is_refused(chain):
    with pytest.raises(BackboneError, match="'block1' .* empty"):
        find_blocks(chain, _ends("d", OUTPUT))


def test_layers_after_the_last_boundary_are_refused(chain):
    with pytest.raises(BackboneError, match=r"2 layers .* no block, the first is 'c'"):
        find_blocks(chain, _ends("a", "b"))


def test_skip_over_a_boundary_widens_the_frontier(skipping):
    first, second, third = find_blocks(skipping, _ends("a", "b", OUTPUT))
    a, b = (skipping.get_layer(name).output for name in "ab")
    assert first.frontier == (a,)
    assert second.frontier == (a, b)
    assert third.frontier == (skipping.output,)


def test_side_branch_belongs_to_its_reader():
    """A branch from the input that only the last layer reads is not in block 0."""
    inputs = keras.Input((4,), name="input")
    a = layers.Dense(4, name="a")(inputs)
    side = layers.Dense(4, name="side")(inputs)
    model = keras.Model(inputs, layers.Add(name="sum")([a, side]))
    first, second = find_blocks(model, _ends("a", OUTPUT))
    assert _names(first) == ["input", "a"]
    assert set(_names(second)) == {"side", "sum"}
    assert set(first.frontier) == {inputs, a}


def test_layers_are_counted_within_their_class():
    """The names that Keras numbers per process differ; the blocks do not."""

    def network():
        x = inputs = keras.Input((4,))
        for _ in range(2):
            x = layers.ReLU()(layers.Dense(4)(x))
        return keras.Model(inputs, x)

    found = [find_blocks(network(), _ends("ReLU#1", OUTPUT)) for _ in range(2)]
    kinds = [
        [[type(layer).__name__ for layer in block.layers] for block in blocks]
        for blocks in found
    ]
    assert kinds[0] == kinds[1] == [["InputLayer", "Dense", "ReLU"], ["Dense", "ReLU"]]
    assert found[0][0].layers[1].name != found[1][0].layers[1].name


def test_nested_model_is_one_layer():
    inputs = keras.Input((4,))
    nested = keras.Sequential([layers.Dense(4), layers.Dense(4)], name="nested")
    model = keras.Model(inputs, layers.Dense(1, name="last")(nested(inputs)))
    first, second = find_blocks(model, _ends("nested", OUTPUT))
    assert nested in first.layers
    assert len(first.variables) == 4
    assert len(second.variables) == 2
