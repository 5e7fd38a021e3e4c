"""The terms of a download: the content that is expected, and the time it may take.

Apart from `zoo.storage.download`, so that rows are listed without libraries for http.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Expected:
    """Facts about a file before it is here.

    `ends_itself`: its format notices a missing end, as an archive's does. Then a
    server need not give the length even if no digest is known.
    """

    sha256: str | None = None
    md5: str | None = None
    maximum_bytes: int = 8 * 2**30
    ends_itself: bool = False

    @property
    def digests(self) -> dict[str, str]:
        """The known digests, by the name of their algorithm."""
        known = {"sha256": self.sha256, "md5": self.md5}
        return {name: digest for name, digest in known.items() if digest}


@dataclasses.dataclass(frozen=True)
class Patience:
    """Time limits, and the number of attempts that may fail without new bytes."""

    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 30.0
    attempts: int = 4
    backoff_seconds: float = 0.5
