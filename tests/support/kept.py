"""Files that tests fetch once and keep for later runs: 115 MB of weights and wheels."""

from pathlib import Path

CACHE = Path.home() / ".cache" / "zootune-tests"
# As `XDG_CACHE_HOME=CACHE` names it, so that both lead to one store.
HOME = CACHE / "zootune"
