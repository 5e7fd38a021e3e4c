"""Headers that let pages of other origins ask, and read the answers."""

from __future__ import annotations

from pipelines.serving import naming

# For every answer to such a page, refusals too, or its script sees nothing at all.
READABLE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": ", ".join((*naming.HEADERS, "Retry-After")),
}
# `*` does not cover the header with the token: https://fetch.spec.whatwg.org.
ALLOWED = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type, Authorization",
}
