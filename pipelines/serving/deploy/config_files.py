"""The three text files that TensorFlow Serving reads at its start."""

from __future__ import annotations

from pipelines.serving.deploy.subject import CPUS, Subject
from pipelines.serving.server.settings import METRICS_PATH

MODELS = "models.config"
BATCHING = "batching_parameters.txt"
BATCHING_ON_GPU = "batching_parameters_gpu.txt"
MONITORING = "monitoring.config"
_MAX_BATCH_SIZE = 32
# 512 images at most wait, which a small network answers within the timeout of 30 s.
_MAX_ENQUEUED_BATCHES = 16
_SIZES_ON_GPU = (1, 2, 4, 8, 16, 32, 64)


def models(subject: Subject, *, base_path: str) -> str:
    """The `models.config`: one model, one version or always the newest."""
    policy = (
        "latest { num_versions: 1 }"
        if subject.version is None
        else f"specific {{ versions: {subject.version} }}"
    )
    return f"""\
model_config_list {{
  config {{
    name: "{subject.name}"
    base_path: "{base_path}"
    model_platform: "tensorflow"
    model_version_policy {{ {policy} }}
  }}
}}
"""


def batching() -> str:
    """On processors: a lone request waits 1 ms, and every core has a batch."""
    return _parameters(
        max_batch_size=_MAX_BATCH_SIZE,
        batch_timeout_micros=1000,
        max_enqueued_batches=_MAX_ENQUEUED_BATCHES,
        num_batch_threads=CPUS,
    )


def batching_on_gpu() -> str:
    """On a GPU: large batches of few sizes, because each new size is tuned anew."""
    sizes = "".join(f"allowed_batch_sizes: {size}\n" for size in _SIZES_ON_GPU)
    scalars = _parameters(
        max_batch_size=_SIZES_ON_GPU[-1],
        batch_timeout_micros=2000,
        max_enqueued_batches=_MAX_ENQUEUED_BATCHES,
        # One is decoded on the processor while the other one is on the GPU.
        num_batch_threads=2,
    )
    return scalars + sizes


def monitoring() -> str:
    """Prometheus metrics, on the REST port."""
    return f"""\
prometheus_config {{
  enable: true
  path: "{METRICS_PATH}"
}}
"""


def _parameters(**values: int) -> str:
    return "".join(f"{name} {{ value: {value} }}\n" for name, value in values.items())
