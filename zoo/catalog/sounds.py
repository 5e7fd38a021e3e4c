"""Networks for sounds, which read the mel bands of a sound over time.

The first row is MiniRocket on the bands as channels, fitted to the training data in
seconds. The other one sees the spectrogram as a picture, with weights of ImageNet.
"""

import dataclasses

from zoo.catalog import efficientnet_lite, series
from zoo.spec import OUTPUT, BackboneSpec, Boundary, SoundInput

PICTURE_PX = 160
BANDS = 40

_INPUT = SoundInput(
    default_length_ms=1_000, minimum_length_ms=200, rate_hz=16_000, bands=BANDS
)
_ROCKET = next(spec for spec in series.SPECS if spec.source == "minirocket")
_LITE0 = next(s for s in efficientnet_lite.SPECS if s.handle == "lite0")

SPECS = (
    BackboneSpec(
        name="sound_minirocket",
        source="minirocket",
        handle="minirocket",
        input=_INPUT,
        feature_width=_ROCKET.feature_width,
        # A threshold for each feature, the mean and scale of a band, and the bands that
        # each kernel of each dilation adds up; longer sounds have more dilations.
        parameters=47_036,
        blocks=(Boundary("kernels", OUTPUT),),
        license=_ROCKET.license,
        paper=_ROCKET.paper,
        trainable=False,
        fitted=True,
    ),
    BackboneSpec(
        name="sound_efficientnet_lite0",
        source="efficientnet_lite",
        handle=_LITE0.handle,
        input=dataclasses.replace(_INPUT, picture_px=PICTURE_PX),
        feature_width=_LITE0.feature_width,
        parameters=_LITE0.parameters,
        blocks=_LITE0.blocks,
        license=_LITE0.license,
        paper=_LITE0.paper,
        weights=_LITE0.weights,
    ),
)
