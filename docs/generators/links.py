"""Checks the links of a built site: files, anchors, and the form of others.

Usage: python docs/generators/links.py FOLDER

Nothing is fetched. Prints what is broken, and exits with 1 if something is.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_OUTSIDE = ("http", "https", "mailto", "data")


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collects what a tag names or leads to."""
        for name, value in attrs:
            if value and (name == "id" or (name == "name" and tag == "a")):
                self.anchors.add(value)
            elif value is not None and name in ("href", "src"):
                self.links.append(value)


def broken_links(folder: Path) -> list[str]:
    """A line for each link of the pages in a folder that leads nowhere."""
    # Resolved once: asking the disk for every link would take half a minute.
    folder = folder.resolve()
    pages = {path.resolve(): Page(path) for path in sorted(folder.rglob("*.html"))}
    return [
        f"{path.relative_to(folder)}: {link}: {fault}"
        for path, page in pages.items()
        for link in sorted(set(page.links))
        if (fault := _fault(link, path, folder, pages))
    ]


def _fault(link: str, path: Path, folder: Path, pages: dict[Path, Page]) -> str:
    try:
        parts = urlsplit(link)
    except ValueError as error:
        return str(error)
    if parts.scheme or parts.netloc:
        return _fault_outside(parts.scheme, parts.netloc)
    target = path
    if parts.path:
        target = (path.parent / unquote(parts.path)).resolve()
        if folder not in (target, *target.parents):
            return "it leads out of the site"
        if target.is_dir():
            target /= "index.html"
        if not target.is_file():
            return "the file is missing"
    page = pages.get(target)
    anchor = unquote(parts.fragment)
    if anchor and page is not None and anchor not in page.anchors:
        return "the anchor is missing"
    return ""


def _fault_outside(scheme: str, host: str) -> str:
    if scheme not in _OUTSIDE:
        return f"the scheme '{scheme}' is none of {', '.join(_OUTSIDE)}"
    if scheme in ("http", "https") and not host:
        return "the host is missing"
    return ""


def main(folder: Path) -> int:
    """Prints the broken links of a site, and gives the exit code."""
    if not any(folder.rglob("*.html")):
        print(f"{folder} has no pages; build them first.", file=sys.stderr)
        return 1
    broken = broken_links(folder)
    for line in broken:
        print(line, file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
