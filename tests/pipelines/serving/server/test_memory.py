"""Memory that nothing refers to goes back, also where objects form cycles."""

import gc
import weakref

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
