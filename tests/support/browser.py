"""A headless Chromium for tests, with the log of its console."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def chromium(profile: Path, *, logs: tuple[str, ...] = ("browser",)) -> Iterator:
    """A browser with a profile in this empty folder. Skips where there is none."""
    selenium = pytest.importorskip("selenium.webdriver")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (program and driver):
        pytest.skip("no browser: apt-get install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = program
    for flag in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-background-networking",
        "disable-dev-shm-usage",
        "window-size=1000,900",
        f"user-data-dir={profile}",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", dict.fromkeys(logs, "ALL"))
    options.set_capability("acceptInsecureCerts", True)
    opened = selenium.Chrome(options, selenium.ChromeService(driver))
    try:
        yield opened
    finally:
        opened.quit()
