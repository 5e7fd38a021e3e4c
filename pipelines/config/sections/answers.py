"""Sections of the config on answers: calibration, detectors, the artifact."""

import dataclasses

from pipelines.config.options import option


@dataclasses.dataclass(slots=True)
class CalibrationConfig:
    """The confidence of the artifact in its answers, measured on validation."""

    method: str = option(
        "auto",
        choices=("auto", "none", "temperature", "bias"),
        help="From logits to probabilities: a temperature, or bias (a temperature and a"
        " bias for each class). auto cross-validates; none accepts every answer.",
    )
    coverage: float = option(
        0.95,
        low=0.1,
        high=1,
        help="Share of examples that are confident enough to be accepted; 1 accepts"
        " all.",
    )
    in_distribution: float = option(
        0.99,
        low=0.5,
        high=1,
        help="Share of examples that are accepted as similar to the training data; 1"
        " accepts all.",
    )
    conformal_levels: tuple[float, ...] = option(
        (0.95, 0.99),
        low=0.5,
        high=0.9999,
        help="Shares of examples whose prediction set holds the right class; the"
        " artifact returns the sets of the first level.",
    )
    false_negative_rate: float = option(
        0.0,
        low=0,
        high=0.9,
        help="multi_label: the share of an example's labels that may be missed, on"
        " average over new examples. 0 takes the thresholds with the best F1.",
    )
    least_precision: float = option(
        0.0,
        low=0,
        high=0.999,
        help="multi_label: the share of predictions of a label that are right, kept"
        " with 90 % certainty; a label that cannot keep it is never predicted. 0 takes"
        " the thresholds with the best F1.",
    )
    widths: str = option(
        "auto",
        choices=("auto", "same", "by_example"),
        help="regression: intervals of the same width for every example, or by_example,"
        " as wide as the error that its features lead to expect. auto is by_example"
        " where features predict errors on examples left out.",
    )


@dataclasses.dataclass(slots=True)
class AnomalyConfig:
    """The detector of problem=anomaly."""

    method: str = option(
        "auto",
        choices=(
            "auto",
            "dfm",
            "pca",
            "nearest",
            "padim",
            "sum",
            "patchcore",
            "windows",
            "matrix_profile",
            "autoencoder",
        ),
        help="dfm is a Gaussian on the main directions of normal features, pca the"
        " length of what lies outside of them, nearest the distance to the nearest"
        " normal example. padim is a Gaussian for each place of an image and gives a"
        " map, and sum adds dfm to it. patchcore compares patches with those of normal"
        " images, at any place, and gives a map too. windows is PCA on short windows of"
        " series, and matrix_profile how far the shape of each longer one is from the"
        " nearest normal one; both give a score by step, and so does an autoencoder of"
        " series, which trains. auto compares all but these four on normal examples"
        " with injected anomalies, and takes the cheapest of the best.",
    )
    network: str = option(
        "convolutional",
        choices=("dense", "convolutional", "recurrent"),
        help="The layers of method=autoencoder.",
    )
    regularizer: str = option(
        "denoising",
        choices=("none", "denoising", "sparse", "contractive", "variational"),
        help="What keeps method=autoencoder from repeating anomalies too: noise on what"
        " it reads, small codes, codes that change little, or random codes.",
    )
    transfer: str = option(
        "",
        help="A run or an artifact with a detector of another source. Ways to take it"
        " over are compared with detectors of these data alone, and the best is taken"
        " only if it is better than all of those by more than one standard error.",
    )
    alpha: float = option(
        0.05,
        low=0.0001,
        high=0.5,
        help="Share of new normal examples that may be called anomalous. Validation"
        " needs 1 / alpha - 1 normal examples for it; fewer promise as much as they"
        " allow.",
    )


@dataclasses.dataclass(slots=True)
class ExportConfig:
    """The artifact: contents besides predictions, and the gate in front of it."""

    explain: bool = option(
        False,
        help="Adds the signature `explain`: a map of where on an image the network"
        " looked.",
    )
    keras: bool = option(
        False,
        help="Keeps the classifier as a Keras model in the artifact too, from raw"
        " inputs to logits, for zootune.load_model. It takes the space of the weights"
        " once more.",
    )
    neighbours: bool = option(
        False,
        help="Keeps the features and names of training examples in the artifact, for"
        " predictor.neighbours: the ones nearest to an example. It takes up to 64 MiB.",
    )
    drift: bool = option(
        False,
        help="Keeps statistics of held-out examples in the artifact (scores, answers,"
        " projected features), for `zoo drift`.",
    )
    minimum: str = option(
        "",
        help="Bounds that a model must keep to be published, parted by commas, on any"
        " number that report.json has for validation or test:"
        " 'test.balanced_accuracy>=0.9,test.loss<=0.3'. Where one is missed nothing is"
        " published, and the command ends with code 5 and the report.",
    )
    not_worse_than: str = option(
        "",
        help="A finished run or an artifact. A model is published if its accuracy on"
        " the same test examples is certainly (97.5 %) not lower by export.margin or"
        " more.",
    )
    margin: float = option(
        0.02,
        low=0.0,
        high=0.5,
        help="The accuracy that export.not_worse_than lets a model lose. The smaller it"
        " is, the more test examples it takes to pass with an equal model; 0 asks for a"
        " better one.",
    )
