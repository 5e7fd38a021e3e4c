"""Rows of facts, one file per source. Nothing here imports TensorFlow or Keras."""

from zoo.catalog import (
    applications,
    efficientnet_lite,
    series,
    sounds,
    table,
    text,
    tfhub,
    tiny,
)
from zoo.spec import BackboneSpec

CATALOG: tuple[BackboneSpec, ...] = (
    *applications.SPECS,
    *efficientnet_lite.SPECS,
    *series.SPECS,
    *sounds.SPECS,
    *table.SPECS,
    *text.SPECS,
    *tfhub.SPECS,
    *tiny.SPECS,
)
