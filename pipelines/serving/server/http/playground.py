"""A page to try a model in a browser: photos, sounds, texts or rows in, answers out.

Three files that lie beside this one and ask nobody but this server, through the same
REST interface as every client.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PATH = "/playground"
_FILES = {
    PATH: ("index.html", "text/html"),
    f"{PATH}/page.css": ("page.css", "text/css"),
    f"{PATH}/page.js": ("page.js", "text/javascript"),
}
# What a browser loads before anybody can type a token; nothing in it is secret.
OPEN_PATHS = tuple(_FILES)
_HEADERS = {
    # Photos are shown from memory, as blobs. No script, style or address from
    # elsewhere, whatever a class or a file is called.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'"
    "; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'"
    "; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def routes(model_names: Callable[[], Sequence[str]]) -> list[Route]:
    """The page, and the names of the models that it can ask."""

    async def models(_: Request) -> Response:
        return JSONResponse({"models": sorted(model_names())}, headers=_HEADERS)

    return [
        *(Route(path, _file(*file)) for path, file in _FILES.items()),
        Route(f"{PATH}/models", models),
    ]


def _file(name: str, kind: str) -> Callable[[Request], object]:
    folder = importlib.resources.files("pipelines.serving.server.http")
    content = (folder / "playground_page" / name).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(content, media_type=kind, headers=_HEADERS)

    return answer
