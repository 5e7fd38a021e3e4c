"""Products of small matrices on one core."""

from __future__ import annotations

import contextlib

from threadpoolctl import threadpool_limits


def one_thread() -> contextlib.AbstractContextManager[object]:
    """A context in which linear algebra of NumPy and SciPy takes one thread.

    For matrices of a thousand rows: threads wait for each other in loops that take
    processor time, on a busy machine several times as much as the product.
    """
    return threadpool_limits(limits=1, user_api="blas")
