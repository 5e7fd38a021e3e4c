"""Requests put together while the processor is busy, and never held while it is not.

Under load, one call with 16 rows takes far less than 16 calls, and two calls with 8
rows at once less than that: while one decodes, the other one multiplies. So each thread
gets an equal share of the rows that wait, are computed, or were answered just now and
so may be asked again; for the latter a moment is granted, as long as that is when they
come. A lone request waits for nobody.

Who comes while a large batch is computed waits for all of it. So where rows cost more
than a call does, as rows of images do on a processor, a share is at most the square
root of the rows that wait: at 70 % of what two cores can answer, one request in a
hundred takes five times as long as alone, where it took seven.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.metrics import Metrics
from pipelines.serving.server.models.batch_history import CallCost, ReturningClients
from pipelines.serving.server.models.servable import Servable
from pipelines.serving.server.models.signature import Arrays, Signature
from pipelines.serving.server.settings import Batching

# The moment that is granted costs at most this share of the batch before it.
_GRANTED_SHARE = 0.15
_MAXIMUM_QUEUES = 64
_Key = tuple[object, ...]


class Workers:
    """Threads that compute; TensorFlow lets go of the interpreter while it does."""

    def __init__(self, threads: int) -> None:
        self.slots = asyncio.Semaphore(threads)
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, "compute")

    async def run(self, function: Callable[[], list]) -> list:
        """Calls a function in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)

    def close(self) -> None:
        """Drops calls that have not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclasses.dataclass(eq=False)
class _Task:
    """Rows of one client. It is over when it has an answer, or its time is up."""

    inputs: Arrays
    rows: int
    answer: asyncio.Future[Arrays]
    since: float


class _Queue:
    """Tasks for one signature and one shape."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.tasks: collections.deque[_Task] = collections.deque()
        self.rows = 0
        self.worker: asyncio.Task | None = None
        self._rows_computed = 0
        self._rows_returning = 0
        self._last_seconds = 0.0
        self._cost = CallCost()
        self._returning = ReturningClients()
        self._share = 0
        self._filled = asyncio.Event()

    def put(self, task: _Task) -> None:
        self.tasks.append(task)
        self.rows += task.rows
        self._rows_returning = max(0, self._rows_returning - task.rows)
        if self.rows >= self._share:
            self._filled.set()

    def answered(self, rows: int, seconds: float) -> None:
        """Notes that a batch is done."""
        self._rows_computed -= rows
        self._rows_returning = rows
        self._last_seconds = seconds
        self._cost.note(rows, seconds)

    def take(self) -> list[_Task]:
        """The next tasks that are still wanted, in order."""
        taken: list[_Task] = []
        rows = 0
        while self.tasks:
            if self.tasks[0].answer.done():
                self.rows -= self.tasks.popleft().rows
                continue
            if taken and rows + self.tasks[0].rows > self._share:
                break
            taken.append(self.tasks.popleft())
            rows += taken[-1].rows
        self.rows -= rows
        self._rows_computed += rows
        return taken

    async def fill(self, batching: Batching) -> None:
        """Waits for the share of one thread, but only for a moment, if at all."""
        granted = self._rows_returning > 0 and self._returning.grant()
        rows = self.rows + (self._rows_returning if granted else 0)
        most = max(rows**0.5, self._cost.rows_per_call)
        equal = (rows + self._rows_computed) / batching.num_batch_threads
        share = math.ceil(min(equal, most))
        self._share = min(share, batching.max_batch_size)
        if self.rows >= self._share or not granted:
            return
        self._filled.clear()
        moment = min(
            batching.batch_timeout_micros / 1e6, _GRANTED_SHARE * self._last_seconds
        )
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._filled.wait(), moment)
        self._returning.note(filled=self._filled.is_set())


class Batcher:
    """The queues of one loaded version."""

    def __init__(
        self,
        servable: Servable,
        batching: Batching,
        workers: Workers,
        metrics: Metrics,
    ) -> None:
        self._servable = servable
        self._batching = batching
        self._workers = workers
        self._metrics = metrics
        self._queues: dict[_Key, _Queue] = {}
        # The loop keeps weak references to tasks only.
        self._running: set[asyncio.Task] = set()

    @property
    def _room(self) -> int:
        """The rows that a queue may hold."""
        return self._batching.max_enqueued_batches * self._batching.max_batch_size

    def refuse_if_full(self) -> None:
        """Raises `ServingError` if no queue has room, before a request is read.

        Reading it is most of what a refusal costs, and under overload most are refused.
        """
        if self._queues and all(q.rows >= self._room for q in self._queues.values()):
            raise _full()

    async def submit(
        self, signature: Signature, inputs: Arrays, *, deadline: float
    ) -> Arrays:
        """The outputs for these inputs, computed before `deadline` or not at all.

        `deadline` is a time of `time.monotonic`.

        Raises:
            ServingError: of the model, or because the queue is full or the time up.
        """
        batching = self._batching
        rows = len(next(iter(inputs.values()))) if signature.is_batched else 0
        if not batching.enabled or not rows or not _has_same_rows(inputs, rows):
            return await self._answered(self._start_alone, signature, inputs, deadline)
        if rows > batching.max_batch_size:
            return await self._in_parts(signature, inputs, rows, deadline)
        return await self._answered(self._enqueue, signature, inputs, deadline)

    async def _answered(
        self,
        start: Callable[[Signature, _Task], None],
        signature: Signature,
        inputs: Arrays,
        deadline: float,
    ) -> Arrays:
        loop = asyncio.get_running_loop()
        now = time.monotonic()
        if deadline <= now:
            raise _late()
        rows = len(next(iter(inputs.values()))) if signature.is_batched else 1
        task = _Task(inputs, rows, loop.create_future(), now)
        start(signature, task)
        timer = loop.call_later(deadline - now, _expire, task)
        try:
            return await task.answer
        finally:
            timer.cancel()

    async def _in_parts(
        self, signature: Signature, inputs: Arrays, rows: int, deadline: float
    ) -> Arrays:
        batching = self._batching
        if not batching.enable_large_batch_splitting:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Task size {rows} is larger than maximum input batch size"
                f" {batching.max_batch_size}; send fewer examples at once.",
            )
        step = batching.max_batch_size
        parts = []
        # One after the other, so that one client does not fill the queue.
        for i in range(0, rows, step):
            part = {name: value[i : i + step] for name, value in inputs.items()}
            parts.append(await self.submit(signature, part, deadline=deadline))
        return {
            name: np.concatenate([part[name] for part in parts]) for name in parts[0]
        }

    def _start_alone(self, signature: Signature, task: _Task) -> None:
        self._spawn(self._compute_alone(signature, task))

    def _enqueue(self, signature: Signature, task: _Task) -> None:
        queue = self._queue(signature, task.inputs)
        if queue.rows + task.rows > self._room:
            raise _full()
        queue.put(task)
        if queue.worker is None:
            queue.worker = asyncio.create_task(self._work(queue))

    def _queue(self, signature: Signature, inputs: Arrays) -> _Queue:
        shapes = ((name, inputs[name].shape[1:]) for name in sorted(inputs))
        key = (signature.name, *shapes)
        if key not in self._queues:
            if len(self._queues) >= _MAXIMUM_QUEUES:
                busy = {k: q for k, q in self._queues.items() if q.worker}
                self._queues = busy
            self._queues[key] = _Queue(signature)
        return self._queues[key]

    async def _work(self, queue: _Queue) -> None:
        """Makes batches of a queue for as long as it holds something."""
        batching = self._batching
        while queue.tasks:
            await self._workers.slots.acquire()
            await queue.fill(batching)
            tasks = queue.take()
            if not tasks:
                self._workers.slots.release()
                continue
            self._spawn(self._compute_batch(queue, tasks))
        queue.worker = None

    async def _compute_batch(self, queue: _Queue, tasks: list[_Task]) -> None:
        started = time.monotonic()
        rows = sum(task.rows for task in tasks)
        self._metrics.batch(
            self._servable.name,
            rows=rows,
            waited_seconds=[started - task.since for task in tasks],
        )
        try:
            await self._compute(queue.signature, tasks)
        finally:
            queue.answered(rows, time.monotonic() - started)
            self._workers.slots.release()

    async def _compute_alone(self, signature: Signature, task: _Task) -> None:
        async with self._workers.slots:
            if not task.answer.done():
                await self._compute(signature, [task])

    async def _compute(self, signature: Signature, tasks: Sequence[_Task]) -> None:
        """Answers tasks from one call, or from two with half of them if it fails.

        So one bad request costs its neighbours a moment and not their answers.
        """
        tasks = [task for task in tasks if not task.answer.done()]
        if not tasks:
            return
        started = time.monotonic()
        try:
            answers = await self._workers.run(lambda: self._call(signature, tasks))
        except ServingError as error:
            if len(tasks) == 1:
                _fail(tasks[0], error)
                return
            half = len(tasks) // 2
            await self._compute(signature, tasks[:half])
            await self._compute(signature, tasks[half:])
            return
        except Exception as error:  # noqa: BLE001 - a client must not wait for ever
            for task in tasks:
                _fail(
                    task,
                    ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}"),
                )
            raise
        self._metrics.computed(self._servable.name, time.monotonic() - started)
        for task, answer in zip(tasks, answers):
            if not task.answer.done():
                task.answer.set_result(answer)

    def _call(self, signature: Signature, tasks: Sequence[_Task]) -> list[Arrays]:
        """Runs in a thread: one call for all tasks, and to each its rows."""
        if all(task.answer.done() for task in tasks):  # late, or their clients left
            raise ServingError(Code.CANCELLED, "Nobody waits for this any more.")
        if len(tasks) == 1 and not self._batching.allowed_batch_sizes:
            return [self._servable.run(signature.name, tasks[0].inputs)]
        rows = sum(task.rows for task in tasks)
        padded = self._padded_rows(rows) if signature.is_batched else rows
        inputs = {
            name: _joined([task.inputs[name] for task in tasks], padded - rows)
            for name in tasks[0].inputs
        }
        outputs = self._servable.run(signature.name, inputs)
        if any(len(value) != padded for value in outputs.values()):
            raise ServingError(
                Code.INTERNAL,
                f"Signature {signature.name!r} gave another number of rows than"
                f" {padded}, which it got; serve this model with --no-batching.",
            )
        ends = np.cumsum([task.rows for task in tasks])
        return [
            {name: value[end - task.rows : end] for name, value in outputs.items()}
            for task, end in zip(tasks, ends)
        ]

    def _padded_rows(self, rows: int) -> int:
        sizes = self._batching.allowed_batch_sizes if self._batching.enabled else ()
        return next((size for size in sizes if size >= rows), rows)

    def _spawn(self, coroutine) -> None:
        task = asyncio.create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def _has_same_rows(inputs: Arrays, rows: int) -> bool:
    return all(len(value) == rows for value in inputs.values())


def _joined(arrays: list[np.ndarray], padding: int) -> np.ndarray:
    if padding:  # any row will do; the first is one that the model takes
        arrays = [*arrays, np.repeat(arrays[0][:1], padding, axis=0)]
    return np.concatenate(arrays)


def _full() -> ServingError:
    return ServingError(
        Code.UNAVAILABLE,
        "The batch scheduling queue to which this task was submitted is full",
    )


def _late() -> ServingError:
    return ServingError(
        Code.DEADLINE_EXCEEDED, "The deadline passed before there was an answer."
    )


def _expire(task: _Task) -> None:
    _fail(task, _late())


def _fail(task: _Task, error: ServingError) -> None:
    if not task.answer.done():
        task.answer.set_exception(error)
