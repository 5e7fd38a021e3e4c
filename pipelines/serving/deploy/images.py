"""Container images, pinned: a tag that moves would change a server unasked."""

# Not older than the TensorFlow that writes our graphs, which an older server may not
# know how to read. It is also the version of the messages that `zoo serve` is tested
# with. `zoo deploy --serving-version` takes another.
SERVING_VERSION = "2.21.0"
# The stable branch of nginx, which gets fixes and nothing new.
PROXY = "nginx:1.28.0"


def serving(version: str) -> str:
    """TensorFlow Serving for processors."""
    return f"tensorflow/serving:{version}"


def serving_on_gpu(version: str) -> str:
    """TensorFlow Serving with CUDA."""
    return f"tensorflow/serving:{version}-gpu"
