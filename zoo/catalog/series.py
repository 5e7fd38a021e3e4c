"""Networks for series. Nobody publishes weights for them: train one, and publish it.

`zoo publish` makes a backbone of what was trained, to start the next run from.
"""

from zoo.spec import OUTPUT, BackboneSpec, Boundary, SeriesInput

# Fully convolutional network: Wang, Yan and Oates 2017.
FILTERS = (128, 256, 128)
KERNELS = (8, 5, 3)
RECURRENT_UNITS = 64

_FCN = "https://arxiv.org/abs/1611.06455"
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

SPECS = (
    _row("conv", width=128, parameters=265_728, blocks=_CONVOLUTIONS, paper=_FCN),
    _row("rnn", width=64, parameters=12_480, blocks=_LAYERS, paper=_RNN),
    _row("gru", width=64, parameters=37_824, blocks=_LAYERS, paper=_GRU),
    _row("lstm", width=64, parameters=49_920, blocks=_LAYERS, paper=_LSTM),
    _row("bigru", width=128, parameters=100_224, blocks=_LAYERS, paper=_BIDIRECTIONAL),
    _row("bilstm", width=128, parameters=132_608, blocks=_LAYERS, paper=_BIDIRECTIONAL),
)
