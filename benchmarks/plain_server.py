"""A server as a tutorial has it: one request, one call of a SavedModel.

Starlette on uvicorn; each request is handled in a thread of a pool, and TensorFlow
shares the cores among its calls as it does by itself.

Command: python -m benchmarks.plain_server VERSION_FOLDER
"""

from __future__ import annotations

import base64
import json
import socket
import sys

import tensorflow as tf
import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def application(folder: str) -> Starlette:
    """Answers images, base64 in JSON, with what the default signature gives."""
    model = tf.saved_model.load(folder)
    serve = model.signatures["serving_default"]

    def answer(body: bytes) -> dict:
        images = [base64.b64decode(one["b64"]) for one in json.loads(body)["instances"]]
        found = serve(image_bytes=tf.constant(images))
        columns = {
            name: _plain(value.numpy().tolist()) for name, value in found.items()
        }
        rows = range(len(images))
        return {"predictions": [{k: v[i] for k, v in columns.items()} for i in rows]}

    async def predict(request: Request) -> JSONResponse:
        body = await request.body()
        return JSONResponse(await to_thread.run_sync(answer, body))

    path = "/v1/models/m:predict"
    # The served model has to live as long as the server.
    app = Starlette(routes=[Route(path, predict, methods=["POST"])])
    app.state.model = model
    return app


def _plain(value):
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.decode() if isinstance(value, bytes) else value


def main() -> None:
    app = application(sys.argv[1])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        free.listen(1024)
        print(f"REST on http://127.0.0.1:{free.getsockname()[1]}", flush=True)
        print("ready", flush=True)
        config = uvicorn.Config(app, log_level="warning")
        uvicorn.Server(config).run(sockets=[free])


if __name__ == "__main__":
    main()
