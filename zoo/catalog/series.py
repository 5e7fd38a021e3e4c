"""Networks for series. Nobody publishes weights for them: train one, and publish it.

`zoo publish` makes a backbone of what was trained, to start the next run from. The
first row has nothing to train: it is fitted to the training data in seconds.
"""

from zoo.spec import OUTPUT, BackboneSpec, Boundary, SeriesInput

# Fully convolutional network: Wang, Yan and Oates 2017.
FILTERS = (128, 256, 128)
KERNELS = (8, 5, 3)
RECURRENT_UNITS = 64
# Residual network of the same authors.
RESIDUAL_FILTERS = (64, 128, 128)
# InceptionTime: Ismail Fawaz and others 2020.
INCEPTION_MODULES = 6
INCEPTION_FILTERS = 32
INCEPTION_KERNELS = (40, 20, 10)

# MiniRocket: 84 kernels with 119 thresholds each make the features of a series.
KERNEL_STEPS = 9
KERNEL_COUNT = 84
THRESHOLDS_PER_KERNEL = 119
MOST_DILATIONS = 32

_MINIROCKET = "https://arxiv.org/abs/2012.08791"
_FCN = "https://arxiv.org/abs/1611.06455"
_INCEPTION = "https://arxiv.org/abs/1909.04939"
_RNN = "https://doi.org/10.1207/s15516709cog1402_1"
_GRU = "https://arxiv.org/abs/1406.1078"
_LSTM = "https://doi.org/10.1162/neco.1997.9.8.1735"
_BIDIRECTIONAL = "https://doi.org/10.1016/j.neunet.2005.06.042"


def _row(
    handle: str,
    *,
    width: int,
    parameters: int,
    blocks: tuple[Boundary, ...],
    paper: str,
) -> BackboneSpec:
    return BackboneSpec(
        name=f"series_{handle}",
        source="series",
        handle=handle,
        input=SeriesInput(default_length_steps=128, minimum_length_steps=8),
        feature_width=width,
        parameters=parameters,
        blocks=blocks,
        license="Apache-2.0",
        paper=paper,
    )


_CONVOLUTIONS = (
    Boundary("block1", "block1_activation"),
    Boundary("block2", "block2_activation"),
    Boundary("block3", OUTPUT),
)
_LAYERS = (Boundary("block1", "block1"), Boundary("block2", OUTPUT))

_MINIROCKET_WIDTH = KERNEL_COUNT * THRESHOLDS_PER_KERNEL

SPECS = (
    BackboneSpec(
        name="series_minirocket",
        source="minirocket",
        handle="minirocket",
        input=SeriesInput(
            default_length_steps=128,
            minimum_length_steps=KERNEL_STEPS,
            normalized=False,
        ),
        feature_width=_MINIROCKET_WIDTH,
        # A threshold for each feature, and the mean and scale of a channel.
        parameters=_MINIROCKET_WIDTH + 2,
        blocks=(Boundary("kernels", OUTPUT),),
        license="Apache-2.0",
        paper=_MINIROCKET,
        trainable=False,
        fitted=True,
    ),
    _row("conv", width=128, parameters=265_728, blocks=_CONVOLUTIONS, paper=_FCN),
    _row(
        "resnet",
        width=128,
        parameters=506_368,
        blocks=(
            Boundary("block1", "block1_output"),
            Boundary("block2", "block2_output"),
            Boundary("block3", OUTPUT),
        ),
        paper=_FCN,
    ),
    _row(
        "inception",
        width=128,
        parameters=405_856,
        blocks=(Boundary("block1", "block1_output"), Boundary("block2", OUTPUT)),
        paper=_INCEPTION,
    ),
    _row("rnn", width=64, parameters=12_480, blocks=_LAYERS, paper=_RNN),
    _row("gru", width=64, parameters=37_824, blocks=_LAYERS, paper=_GRU),
    _row("lstm", width=64, parameters=49_920, blocks=_LAYERS, paper=_LSTM),
    _row("bigru", width=128, parameters=100_224, blocks=_LAYERS, paper=_BIDIRECTIONAL),
    _row("bilstm", width=128, parameters=132_608, blocks=_LAYERS, paper=_BIDIRECTIONAL),
)
