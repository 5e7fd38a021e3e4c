"""What a page of another origin is told that it may ask, and read."""

from __future__ import annotations

from pipelines.serving import naming

# Every answer to such a page, refusals too, or its script is told nothing at all.
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
