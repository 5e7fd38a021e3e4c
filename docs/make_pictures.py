"""Makes the pictures of the documentation from the page of a finished run.

    zoo train --config.data=builtin:mnist_5k --config.backbone=efficientnet_lite0 \\
        --config.export.explain --config.workdir=runs/digits
    python docs/make_pictures.py runs/digits

Writes PNG files to `docs/images/`: the page in its light and its dark theme, and as on
a phone. Needs Chromium, chromedriver and selenium (extra `dev`).
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

IMAGES = Path(__file__).parent / "images"
# Pages of documentation should stay light; there are few colours in a picture of one.
_COLOURS = 200
_MOST_BYTES = 150_000
# Name, theme, section that stands on top, width and height in CSS pixels.
PICTURES = (
    ("report.png", "light", "", (1100, 1180)),
    ("report_confusion.png", "light", "confusion", (1000, 640)),
    ("report_dark.png", "dark", "calibration", (1000, 620)),
    ("report_phone.png", "dark", "", (390, 800)),
)


def main() -> None:
    """Writes the pictures of the run that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--to", type=Path, default=IMAGES)
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    browser = _browser()
    try:
        browser.get((arguments.run / "report.html").absolute().as_uri())
        for name, theme, section, size in PICTURES:
            path = arguments.to / name
            path.write_bytes(_picture(browser, theme, section, size))
            print(f"{path}: {path.stat().st_size} bytes")
    finally:
        browser.quit()


def _browser() -> Any:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("headless", "no-sandbox", "hide-scrollbars"):
        options.add_argument(f"--{flag}")
    return webdriver.Chrome(
        options, webdriver.ChromeService(shutil.which("chromedriver") or "")
    )


def _picture(browser: Any, theme: str, section: str, size: tuple[int, int]) -> bytes:
    """A PNG of the page from a section on, with the worst pair of classes open."""
    width, height = size
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    browser.execute_script(
        """
        const theme = document.getElementById("theme");
        if (theme.textContent.toLowerCase() === arguments[0]) theme.click();
        dispatchEvent(new Event("resize"));
        const matrix = document.getElementById("matrix");
        const press = (key) =>
          matrix.dispatchEvent(new KeyboardEvent("keydown", {key}));
        const {cells} = JSON.parse(document.getElementById("matrices").textContent)[0];
        const wrong = cells.filter(([i, j]) => i !== j).sort((a, b) => b[2] - a[2])[0];
        if (wrong) {
          for (let k = 0; k < cells.length; k++) { press("ArrowUp"); press("Home"); }
          for (let k = 0; k < wrong[0]; k++) press("ArrowDown");
          for (let k = 0; k < wrong[1]; k++) press("ArrowRight");
          press("Enter");
        }
        const top = document.getElementById(arguments[1]);
        scrollTo(0, top ? top.offsetTop - 24 : 0);
        """,
        theme,
        section,
    )
    shot = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    page = io.BytesIO()
    shot.quantize(_COLOURS).save(page, "PNG", optimize=True)
    if len(page.getvalue()) > _MOST_BYTES:
        raise SystemExit(
            f"A picture has {len(page.getvalue())} bytes, and may have {_MOST_BYTES}:"
            " make it smaller in PICTURES, or take fewer colours."
        )
    return page.getvalue()


if __name__ == "__main__":
    main()
