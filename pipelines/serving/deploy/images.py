"""Container images, pinned: a tag that moves would change a server unasked."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping

from pipelines.errors import ConfigError

# Not older than the TensorFlow that writes our graphs, which an older server may not
# know how to read. It is also the version of the messages that `zoo serve` is tested
# with. `zoo deploy --serving-version` takes another.
SERVING_VERSION = "2.21.0"
# What `--digest` may name.
NAMES = ("serving", "serving-gpu", "proxy", "copy")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Images:
    """The images of a deployment, and their digests by the names in `NAMES`.

    A tag can be given to another image by whoever owns it, a digest cannot. Which one
    is behind a tag today only a registry says, so digests are given by who deploys.
    """

    serving_version: str = SERVING_VERSION
    digests: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def serving(self) -> str:
        """TensorFlow Serving for processors."""
        return self._pinned("serving", f"tensorflow/serving:{self.serving_version}")

    @property
    def serving_on_gpu(self) -> str:
        """TensorFlow Serving with CUDA."""
        tag = f"tensorflow/serving:{self.serving_version}-gpu"
        return self._pinned("serving-gpu", tag)

    @property
    def proxy(self) -> str:
        """The stable branch of nginx, which gets fixes and nothing new."""
        return self._pinned("proxy", "nginx:1.28.0")

    @property
    def copy(self) -> str:
        """The image that holds a volume open while a version is copied there."""
        return self._pinned("copy", "busybox:1.37.0")

    def _pinned(self, name: str, tag: str) -> str:
        digest = self.digests.get(name)
        return f"{tag}@{digest}" if digest else tag


def parse_digests(texts: Iterable[str]) -> dict[str, str]:
    """Digests from texts such as `proxy=sha256:...`.

    Raises:
        ConfigError: for another name, another form, or a name that comes twice.
    """
    digests: dict[str, str] = {}
    for text in texts:
        name, _, digest = text.partition("=")
        if name not in NAMES or not _DIGEST.fullmatch(digest) or name in digests:
            raise ConfigError(
                f"--digest is {text!r}; expected NAME=sha256: and 64 hexadecimal digits"
                f" in lower case, each of these names once: {', '.join(NAMES)}."
            )
        digests[name] = digest
    return digests
