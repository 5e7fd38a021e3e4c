"""Memory that nothing refers to goes back, also where objects form cycles."""

import ctypes
import gc
import subprocess
import sys
import weakref

import pytest

from pipelines.serving.server import memory


class Node:
    def __init__(self):
        self.itself = self


def test_cycles_are_freed():
    gc.disable()
    try:
        reference = weakref.ref(Node())
        assert reference() is not None
        memory.give_back()
        assert reference() is None
    finally:
        gc.enable()


def test_settled_objects_are_left_out_of_collections():
    try:
        memory.settle()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


_FREED_AND_ASKED_AGAIN = """
import ctypes, sys
from pipelines.serving.server import memory
from pipelines.serving.server.pressure import held_bytes

if sys.argv[1] == "returns":
    memory.return_large_blocks()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.free(libc.malloc(31 << 20))  # from now on glibc would take such from its heap
large = [libc.malloc(30 << 20) for _ in range(4)]
last = libc.malloc(2 << 20)  # and this keeps the end of the heap where it is
for block in (*large, last):
    ctypes.memset(block, 1, 2 << 20)
for block in large:
    ctypes.memset(block, 1, 30 << 20)
before = held_bytes()
for block in large:
    libc.free(block)
print((before - held_bytes()) >> 20)
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt"
)
@pytest.mark.parametrize(("how", "returned"), [("returns", True), ("keeps", False)])
def test_freed_large_blocks_leave_at_once(how, returned):
    done = subprocess.run(
        [sys.executable, "-c", _FREED_AND_ASKED_AGAIN, how],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (int(done.stdout) > 100) == returned
