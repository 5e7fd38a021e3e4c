"""A Python with TensorFlow imported, which forks for each program that it is sent.

    python warm_server.py SOCKET

A connection brings the arguments of one Python process and its three standard streams;
it is answered with the process id, and with the wait status when the process has ended.
Nothing has run on TensorFlow before the fork: it was imported, and no more.
"""

import atexit
import gc
import json
import os
import resource
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import threading
import types
from pathlib import Path

import keras  # noqa: F401 - so that no child imports it
import numpy
import tensorflow

_LARGEST_REQUEST_BYTES = 1 << 20
_POLL_SECONDS = 0.02
# Of this process alone; each child has its own.
_OWN_PLACES = {
    str(Path(__file__).resolve().parent),
    *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)),
}


def main(path: str) -> dict | None:
    """Serves until SIGTERM. In a child it returns what the child has to do."""
    # Ctrl-C is for those that wait.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    running: dict[int, socket.socket] = {}
    gc.collect()
    gc.freeze()  # or the collector of every child would copy all of this memory
    while True:
        if selector.select(_POLL_SECONDS if running else None):
            connection, _ = listener.accept()
            if (request := _request(connection)) is None:
                connection.close()
                continue
            if (pid := os.fork()) == 0:
                for other in (selector, listener, connection, *running.values()):
                    other.close()
                return request
            for descriptor in request["streams"]:
                os.close(descriptor)
            running[pid] = connection
            _answer(connection, pid)
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with running.pop(pid) as connection:
                    _answer(connection, status)


def _request(connection: socket.socket) -> dict | None:
    """What a client asks for; `None` if it has gone."""
    message, streams, _, _ = socket.recv_fds(connection, _LARGEST_REQUEST_BYTES, 3)
    while message and not message.endswith(b"\n"):
        message += connection.recv(_LARGEST_REQUEST_BYTES)
    return {**json.loads(message), "streams": streams} if message else None


def _answer(connection: socket.socket, number: int) -> None:
    try:
        connection.sendall(b"%d\n" % number)
    except OSError:  # nobody waits for it any more
        return


def become(request: dict) -> None:
    """Makes a child what a new Python process with these arguments would be."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(request["streams"]):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    tempfile.tempdir = None  # as these variables say
    for limit, values in request["limits"].items():
        resource.setrlimit(int(limit), tuple(values))
    if request["as_written"]:
        options = {"disable_meta_optimizer": True}
        tensorflow.config.optimizer.set_experimental_options(options)
    numpy.random.seed()  # or all children would draw the same
    program, *rest = request["program"]
    sys.path[:] = [place for place in sys.path if place not in _OWN_PLACES]
    if not request["isolated"]:
        extra = [p for p in request["env"].get("PYTHONPATH", "").split(":") if p]
        places = {"-m": request["cwd"], "-c": ""}
        sys.path[:0] = [places.get(program, str(Path(program).parent)), *extra]
    sys.argv = [program, *rest[1:]]
    if program == "-m":
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        return
    if program != "-c":
        sys.argv = [program, *rest]
        runpy.run_path(program, run_name="__main__")
        return
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    exec(compile(rest[0], "<string>", "exec"), module.__dict__)  # noqa: S102


def end(code: object) -> None:
    """Ends as Python does, without freeing one by one what the kernel frees at once."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    try:
        become(main(sys.argv[1]))
    except SystemExit as asked:
        if isinstance(asked.code, str):
            raise
        end(asked.code)
    end(0)
