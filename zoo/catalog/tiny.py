"""Small real networks, so that fast tests run offline in seconds."""

from zoo.spec import (
    MINUS_ONE_TO_ONE,
    OUTPUT,
    BackboneSpec,
    Boundary,
    ImageInput,
    SeriesInput,
    TextInput,
    Tokenizer,
)

_WORDS = 1024

SPECS = (
    BackboneSpec(
        name="tiny_image",
        source="tiny",
        handle="tiny_image",
        input=ImageInput(
            default_size_px=32, minimum_size_px=8, pixels=MINUS_ONE_TO_ONE
        ),
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
    BackboneSpec(
        name="tiny_text",
        source="tiny",
        handle="tiny_text",
        input=TextInput(
            tokenizer=Tokenizer("hashed_words", size=_WORDS),
            default_length_tokens=32,
        ),
        feature_width=32,
        parameters=39_104,
        blocks=(
            Boundary("embedding", "embedded"),
            Boundary("block1", "block1_add"),
            Boundary("block2", OUTPUT),
        ),
        license="Apache-2.0",
        paper="",
    ),
    BackboneSpec(
        name="tiny_series",
        source="tiny",
        handle="tiny_series",
        input=SeriesInput(default_length_steps=64, minimum_length_steps=8),
        feature_width=32,
        parameters=2_608,
        blocks=(
            Boundary("stem", "stem_activation"),
            Boundary("block1", "block1_add"),
            Boundary("block2", OUTPUT),
        ),
        license="Apache-2.0",
        paper="",
    ),
)
