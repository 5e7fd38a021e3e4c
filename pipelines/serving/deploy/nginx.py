"""A proxy in front of TensorFlow Serving, which lets everybody in and takes any size.

It asks for a bearer token or a name and password, and bounds bodies and waiting.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.serving.deploy import model_server
from pipelines.serving.deploy.rights import SCRATCH

PORT = 8080
MAX_BODY_MIB = 32
TOKENS = "tokens.map"
PASSWORDS = "users.htpasswd"
# For bodies, and for answers of every kind of server that nginx can ask.
_WRITES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

# Bearers are on the left of `tokens.map`. A plain string would be compared without
# regard to case, a pattern that begins with ~ is not.
TOKENS_TEXT = r"""# A bearer token on each line, as a pattern:
#   echo "\"~^Bearer $(openssl rand -hex 32)\$\" off;" >> tokens.map
# Nobody has one yet. The proxy reads this at its start.
"""
PASSWORDS_TEXT = """\
# A name and a hashed password on each line:
#   htpasswd -nB NAME >> users.htpasswd
# Nobody has one yet.
"""

# A directive: its words, and what is inside of it, if it is a block.
_Directive = tuple[str, Sequence["_Directive"] | None]


def configuration(name: str, *, upstream: str) -> str:
    """The `nginx.conf` for one model behind `upstream`, an address with a port.

    Its files of tokens and passwords lie beside it, in `/etc/nginx`.
    """
    wait = model_server.TIMEOUT_SECONDS
    return _written(
        [
            ("worker_processes auto", None),
            # All that it writes, in the only folder where it may.
            (f"pid {SCRATCH}/nginx.pid", None),
            ("events", [("worker_connections 1024", None)]),
            (
                "http",
                [
                    ("server_tokens off", None),
                    *((f"{name}_temp_path {SCRATCH}/{name}", None) for name in _WRITES),
                    (f"client_max_body_size {MAX_BODY_MIB}m", None),
                    ("client_header_timeout 10s", None),
                    (f"client_body_timeout {wait}s", None),
                    # `off` turns the password off for who has a token; a model of
                    # that name must not, so the realm is never a name alone.
                    (
                        "map $http_authorization $realm",
                        [
                            (f'default "model {name}"', None),
                            (f"include {TOKENS}", None),
                        ],
                    ),
                    (
                        "upstream serving",
                        [(f"server {upstream}", None), ("keepalive 32", None)],
                    ),
                    ("server", _server(wait)),
                ],
            ),
        ]
    )


def _server(wait: int) -> list[_Directive]:
    return [
        (f"listen {PORT}", None),
        ("location = /healthz", [("access_log off", None), ("return 204", None)]),
        (
            "location /v1/models/",
            [
                ("auth_basic $realm", None),
                (f"auth_basic_user_file {PASSWORDS}", None),
                ("if ($request_method !~ ^(GET|POST)$)", [("return 405", None)]),
                # The server inflates gzip, to far more than the limit of bodies.
                ("if ($http_content_encoding)", [("return 415", None)]),
                ("proxy_pass http://serving", None),
                ("proxy_http_version 1.1", None),
                ('proxy_set_header Connection ""', None),
                ('proxy_set_header Authorization ""', None),
                ("proxy_connect_timeout 5s", None),
                # Longer than the server, which then says itself that it was too slow.
                (f"proxy_read_timeout {wait + 5}s", None),
            ],
        ),
        # Metrics, too, are for the inside alone.
        ("location /", [("return 404", None)]),
    ]


def _written(directives: Sequence[_Directive], depth: int = 0) -> str:
    indent = "    " * depth
    lines = []
    for words, inside in directives:
        if inside is None:
            lines.append(f"{indent}{words};\n")
        else:
            block = _written(inside, depth + 1)
            lines.append(f"{indent}{words} {{\n{block}{indent}}}\n")
    return "".join(lines)
