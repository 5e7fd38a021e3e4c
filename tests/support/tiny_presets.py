"""Small presets of real KerasHub architectures, made where a test needs one.

What reads them is what reads published ones; only the weights are random.
"""

from pathlib import Path

import keras
import keras_hub
import numpy as np

hub = keras_hub.models
SIZE = 32
WORDS = ["an", "anchor", "and", "rope", "salt", "in", "the", "oven", "rose", "!"]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
_TRANSFORMER = {
    "vocabulary_size": 300,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 32,
    "max_sequence_length": 24,
}
_VISION = {"image_shape": (SIZE, SIZE, 3), "patch_size": 8, "num_layers": 2}
_VISION |= {"num_heads": 2, "hidden_dim": 16}
# What presets of ImageNet do: the published mean and deviation, per channel.
SCALE = [1 / (255 * deviation) for deviation in (0.229, 0.224, 0.225)]
OFFSET = [-m / d for m, d in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]


def _resnet():
    return hub.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[2, 2],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )


def _efficientnet():
    return hub.EfficientNetBackbone(
        stackwise_width_coefficients=[0.5] * 3,
        stackwise_depth_coefficients=[1.0] * 3,
        stackwise_kernel_sizes=[3, 3, 5],
        stackwise_num_repeats=[1, 2, 2],
        stackwise_input_filters=[32, 16, 24],
        stackwise_output_filters=[16, 24, 40],
        stackwise_expansion_ratios=[1, 6, 6],
        stackwise_squeeze_and_excite_ratios=[0.25] * 3,
        stackwise_strides=[1, 2, 2],
        stackwise_block_types=["v1"] * 3,
        stackwise_force_input_filters=[0] * 3,
        stackwise_nores_option=[False] * 3,
    )


IMAGES = {
    "resnet": _resnet,
    "efficientnet": _efficientnet,
    "vgg": lambda: hub.VGGBackbone(
        stackwise_num_repeats=[1, 2, 1], stackwise_num_filters=[4, 8, 8]
    ),
    "hgnetv2": lambda: hub.HGNetV2Backbone(
        depths=[1, 1],
        embedding_size=8,
        hidden_sizes=[16, 16],
        stem_channels=[3, 8, 8],
        hidden_act="relu",
        use_learnable_affine_block=False,
        stackwise_stage_filters=[
            [8, 8, 16, 1, 2, 3],
            [16, 8, 16, 1, 2, 3],
        ],
        apply_downsample=[False, True],
        use_lightweight_conv_block=[False, False],
    ),
    "vit": lambda: hub.ViTBackbone(mlp_dim=32, **_VISION),
    "deit": lambda: hub.DeiTBackbone(intermediate_dim=32, **_VISION),
    "dinov2": lambda: hub.DINOV2Backbone(
        intermediate_dim=32, num_register_tokens=2, **_VISION
    ),
    "dinov3": lambda: hub.DINOV3Backbone(intermediate_dim=32, **_VISION),
}


def _bpe():
    """Byte pairs over every byte, as published ones are; 'Ġ' is a blank in them."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    alphabet = [*map(chr, shown), *map(chr, range(256, 256 + 256 - len(shown)))]
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<|endoftext|>"]
    names = [*marks, *alphabet, "an", "Ġan"]
    return {name: i for i, name in enumerate(names)}, ["a n", "Ġ an"]


def _bert():
    tokenizer = hub.BertTokenizer(vocabulary=PIECES)
    made = hub.BertTextClassifierPreprocessor(tokenizer, sequence_length=12)
    return hub.BertBackbone(**_TRANSFORMER), made


def _distil_bert():
    tokenizer = hub.DistilBertTokenizer(vocabulary=PIECES)
    made = hub.DistilBertTextClassifierPreprocessor(tokenizer, sequence_length=12)
    return hub.DistilBertBackbone(**_TRANSFORMER), made


def _roberta():
    vocabulary, merges = _bpe()
    tokenizer = hub.RobertaTokenizer(vocabulary=vocabulary, merges=merges)
    made = hub.RobertaTextClassifierPreprocessor(tokenizer, sequence_length=12)
    return hub.RobertaBackbone(**_TRANSFORMER), made


def _electra():
    """KerasHub has no classifier for it, so no preprocessor but the usual one."""
    fields = {**_TRANSFORMER, "vocab_size": _TRANSFORMER["vocabulary_size"]}
    del fields["vocabulary_size"]
    return (
        hub.ElectraBackbone(**fields, embedding_dim=16),
        hub.ElectraTokenizer(vocabulary=PIECES),
    )


def _gpt2():
    vocabulary, merges = _bpe()
    tokenizer = hub.GPT2Tokenizer(vocabulary=vocabulary, merges=merges)
    made = hub.GPT2CausalLMPreprocessor(tokenizer, sequence_length=12)
    return hub.GPT2Backbone(**_TRANSFORMER), made


TEXTS = {
    "bert": _bert,
    "distil_bert": _distil_bert,
    "roberta": _roberta,
    "electra": _electra,
    "gpt2": _gpt2,
}


def save_image(
    folder: Path, kind: str = "resnet", *, scale=SCALE, offset=OFFSET
) -> Path:
    """A backbone for images with its converter."""
    keras.utils.set_random_seed(0)
    backbone = IMAGES[kind]()
    _shake(backbone)
    backbone.save_to_preset(str(folder))
    converter = hub_converter(backbone)
    converter(image_size=(SIZE, SIZE), scale=scale, offset=offset).save_to_preset(
        str(folder)
    )
    return folder


def hub_converter(backbone):
    """The class of converters that goes with a backbone."""
    found = [
        kind
        for kind in vars(keras_hub.layers).values()
        if getattr(kind, "backbone_cls", None) is type(backbone)
    ]
    return found[0]


def save_text(folder: Path, kind: str = "bert") -> Path:
    """A backbone for texts with its tokenizer and, where there is one, what packs."""
    keras.utils.set_random_seed(0)
    backbone, made = TEXTS[kind]()
    backbone.save_to_preset(str(folder))
    made.save_to_preset(str(folder))
    return folder


def _shake(backbone):
    """Other statistics than those that BatchNormalization starts with."""
    rng = np.random.default_rng(0)
    for variable in backbone.non_trainable_variables:
        if variable.name == "moving_mean":
            variable.assign(rng.uniform(-0.1, 0.1, variable.shape))
        if variable.name == "moving_variance":
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
