"""The models that the suite asks, as plain SavedModels.

`python tests/conformance/models.py DIR` writes them with a `models.config`, for another
server: start it with that file, and the suite with BASE_URL and GRPC_ADDR.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import tensorflow as tf

FLOATS = tf.TensorSpec([None], tf.float32)
EXAMPLES = tf.TensorSpec([None], tf.string, name="inputs")


def _feature(serialized: tf.Tensor, name: str) -> tf.Tensor:
    wanted = {name: tf.io.FixedLenFeature([1], tf.float32)}
    return tf.io.parse_example(serialized, wanted)[name]


class Line(tf.Module):
    """y = a x + b, in the ways that a client may ask for it."""

    def __init__(self, slope: float, offset: float) -> None:
        super().__init__()
        self.slope = tf.Variable(slope)
        self.offset = tf.Variable(offset)

    def at(self, x: tf.Tensor) -> tf.Tensor:
        return self.slope * x + self.offset

    def signatures(self) -> dict[str, object]:
        """Functions by the name of their signature."""

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def predict(x):
            return {"y": self.at(x)}

        @tf.function(input_signature=[EXAMPLES])
        def classify(inputs):
            return {"scores": self.at(_feature(inputs, "x"))}

        @tf.function(input_signature=[EXAMPLES])
        def classify_names(inputs):
            count = tf.shape(inputs)[0]
            names = tf.tile([["low", "high"]], [count, 1])
            return {"classes": names}

        @tf.function(input_signature=[EXAMPLES])
        def classify_both(inputs):
            x = _feature(inputs, "x")
            names = tf.tile([["low", "high"]], [tf.shape(inputs)[0], 1])
            return {"classes": names, "scores": tf.concat([x, self.at(x)], axis=1)}

        @tf.function(input_signature=[EXAMPLES])
        def regress(inputs):
            return {"outputs": self.at(_feature(inputs, "x"))}

        @tf.function(input_signature=[EXAMPLES])
        def regress_other(inputs):
            return {"outputs": self.at(_feature(inputs, "x2")) + 1.0}

        return {
            "serving_default": predict,
            "classify_x_to_y": classify,
            "classify_names": classify_names,
            "classify_both": classify_both,
            "regress_x_to_y": regress,
            "regress_x2_to_y3": regress_other,
        }


def _spec(dtype: tf.DType, *shape: int | None, name: str) -> tf.TensorSpec:
    return tf.TensorSpec([None, *shape], dtype, name=name)


class Kinds(tf.Module):
    """Signatures of every type that JSON meets."""

    def signatures(self) -> dict[str, object]:
        """Functions by the name of their signature."""
        named = {
            "float64": tf.float64,
            "int32": tf.int32,
            "int64": tf.int64,
            "uint8": tf.uint8,
            "bool": tf.bool,
            "half": tf.float16,
        }
        same = {
            name: tf.function(
                lambda x: {"y": tf.identity(x)},
                input_signature=[tf.TensorSpec([None], dtype, name="x")],
            )
            for name, dtype in named.items()
        }

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def text(text):
            return {"joined": tf.strings.join([text, "!"])}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def raw(text):
            return {"out_bytes": tf.strings.join([text, "!"])}

        @tf.function(
            input_signature=[
                _spec(tf.float32, name="a"),
                _spec(tf.float32, 2, name="b"),
            ]
        )
        def two(a, b):
            return {"sum": a + tf.reduce_sum(b, axis=1), "twice": 2.0 * b}

        @tf.function(input_signature=[_spec(tf.float32, 2, 3, name="x")])
        def matrix(x):
            return {"y": tf.reduce_sum(x, axis=[1, 2])}

        @tf.function(input_signature=[_spec(tf.float32, name="x")])
        def total(x):
            return {"total": tf.reduce_sum(x)}

        @tf.function(input_signature=[_spec(tf.float32, name="x")])
        def quotient(x):
            return {"y": 1.0 / x}

        @tf.function(input_signature=[_spec(tf.float32, name="x")])
        def as_half(x):
            return {"y": tf.cast(x, tf.float16)}

        @tf.function(input_signature=[_spec(tf.float32, name="x")])
        def positive(x):
            tf.debugging.assert_greater(x, 0.0, "x must be positive")
            return {"y": tf.sqrt(x)}

        return {
            **same,
            "text": text,
            "raw": raw,
            "two": two,
            "matrix": matrix,
            "total": total,
            "quotient": quotient,
            "as_half": as_half,
            "positive": positive,
            "serving_default": quotient,
        }


class Slow(tf.Module):
    """y = x, after as many products of matrices as `x` says: about 1 ms each."""

    def signatures(self) -> dict[str, object]:
        """The default one."""

        @tf.function(input_signature=[_spec(tf.float32, name="x")])
        def wait(x):
            rounds = tf.cast(tf.reduce_max(tf.concat([x, [0.0]], 0)), tf.int32)
            matrix = tf.eye(512) * 0.5
            _, found = tf.while_loop(
                lambda i, _: i < rounds,
                lambda i, m: (i + 1, tf.matmul(m, matrix) + matrix),
                (tf.constant(0), matrix),
            )
            # Never negative, but the graph does not know, so it is computed.
            return {"y": x + tf.minimum(found[0, 0], 0.0)}

        return {"serving_default": wait}


def save(module: Line | Kinds | Slow, folder: Path, *, only: str | None = None) -> None:
    """Writes one version, with all of its signatures or the one that is named."""
    signatures = module.signatures()
    if only is not None:
        signatures = {only: signatures[only]}
    tf.saved_model.save(module, str(folder), signatures)


CONFIG = """
model_config_list {{
  config {{
    name: "half_plus_two" base_path: "{base}/half_plus_two" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 123 versions: 124 }} }}
    version_labels {{ key: "stable" value: 123 }}
    version_labels {{ key: "canary" value: 124 }}
  }}
  config {{
    name: "half_plus_three" base_path: "{base}/half_plus_three"
    model_platform: "tensorflow"
  }}
  config {{ name: "kinds" base_path: "{base}/kinds" model_platform: "tensorflow" }}
  config {{ name: "a b/c" base_path: "{base}/half_plus_two" }}
}}
"""


def make(base: Path) -> Path:
    """Writes all models below a folder, and gives their `models.config`."""
    save(Line(0.5, 2.0), base / "half_plus_two" / "00000123")
    shutil.copytree(base / "half_plus_two" / "00000123", base / "half_plus_two" / "124")
    save(Line(0.5, 3.0), base / "half_plus_three" / "1")
    save(Kinds(), base / "kinds" / "1")
    config = base / "models.config"
    config.write_text(CONFIG.format(base=base.absolute()))
    return config


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
