"""Small real networks, so that fast tests run offline in seconds."""

from zoo.spec import MINUS_ONE_TO_ONE, OUTPUT, BackboneSpec, Boundary

SPECS = (
    BackboneSpec(
        name="tiny_image",
        source="tiny",
        handle="tiny_image",
        modality="image",
        default_size_px=32,
        minimum_size_px=8,
        pixels=MINUS_ONE_TO_ONE,
        feature_width=32,
        parameters=8_944,
        blocks=(
            Boundary("stem", "stem_activation"),
            Boundary("block1", "block1_add"),
            Boundary("block2", "block2_activation"),
            Boundary("block3", OUTPUT),
        ),
        license="Apache-2.0",
        paper="",
    ),
)
