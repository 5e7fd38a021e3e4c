"""Room for connections among the files that a process may have open."""

from __future__ import annotations

import dataclasses
import logging

from pipelines.serving.server.settings import Settings

_logger = logging.getLogger("zootune.serve")
# Open files other than connections: libraries, and versions while they load.
_OTHER_FILES = 256


def with_room(settings: Settings) -> Settings:
    """As many connections as the process may have open, on each of both interfaces."""
    try:
        import resource
    except ImportError:  # Windows
        return settings
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = settings.limits
    needed = 2 * limits.max_connections + _OTHER_FILES
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft >= needed:
        return settings
    room = max(1, (soft - _OTHER_FILES) // 2)
    _logger.warning(
        "the process may have %d files open, so %d connections are taken and not %d;"
        " `ulimit -n` raises it",
        soft,
        room,
        limits.max_connections,
    )
    return dataclasses.replace(
        settings, limits=dataclasses.replace(limits, max_connections=room)
    )
