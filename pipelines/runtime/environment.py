"""Versions, machine and memory of a run. Imports nothing heavy."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import psutil

import zoo

_PACKAGES = (
    "zootune",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "numpy",
    "scikit-learn",
)


def installed_versions() -> dict[str, str]:
    """Python and the installed packages that a result depends on."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def code_sha256() -> str:
    """A digest of the source files of this package, to compare workers by."""
    digest = hashlib.sha256()
    for folder in (Path(__file__).parents[1], Path(zoo.__file__).parent):
        for path in sorted(folder.rglob("*.py")):
            name = path.relative_to(folder.parent).as_posix()
            digest.update(f"{name}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def describe() -> dict[str, object]:
    """The environment of this process, ready for JSON."""
    return {
        "versions": installed_versions(),
        "platform": platform.platform(),
        "processor_count": os.cpu_count(),
        "command": shlex.join(sys.argv),
    }


def peak_memory_bytes() -> int:
    """The largest resident memory of this process so far, or since it was forgotten."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        status = ""
    # What Linux gives to getrusage can be the memory of the process that started this.
    peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    if peak:
        return int(peak[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows, which counts it itself
        memory: Any = psutil.Process().memory_info()
        return int(memory.peak_wset)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In KiB, but on macOS in bytes.
    return used if sys.platform == "darwin" else used * 1024


def forget_peak_memory() -> bool:
    """Lets the peak start at what is resident now; says whether this system can."""
    try:
        # https://docs.kernel.org/filesystems/proc.html: 5 resets the peak.
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True
