"""Small networks in which two maps are added, as residual blocks do."""

import keras

layers = keras.layers


def _norm():
    return layers.BatchNormalization(trainable=False)


def with_bias(found):
    return layers.Add()([found, layers.Conv2D(4, 3, padding="same")(found)])


def by_operator(found):
    return found + layers.Conv2D(4, 3, padding="same")(found)


def with_norm(found):
    return layers.Add()([_norm()(layers.Conv2D(4, 3, padding="same")(found)), found])


def with_dropout(found):
    """As EfficientNet has it; in inference that is nothing."""
    norm = _norm()(layers.Conv2D(4, 3, padding="same", use_bias=False)(found))
    return layers.Add()([layers.Dropout(0.5)(norm), found])


def with_relu(found):
    return layers.ReLU()(with_norm(found))


def of_two(found):
    one, other = (layers.Conv2D(4, 3, padding="same")(found) for _ in range(2))
    return layers.Add()([_norm()(one), _norm()(other)])


def depthwise(found):
    one = layers.DepthwiseConv2D(3, padding="same")(found)
    return layers.Add()([_norm()(one), found])


BLOCKS = [with_bias, by_operator, with_norm, with_dropout, with_relu, of_two, depthwise]


def network(block) -> keras.Model:
    """Three such blocks, one after the other, on maps `[6, 6, 4]`."""
    inputs = keras.Input((6, 6, 4))
    found = layers.ReLU()(inputs)
    for _ in range(3):
        found = block(found)
    return keras.Model(inputs, found)
