"""Handle items that arrive together in one call, which costs less than a call for each.

The features of a fraud request take 264 us alone and 17 us each in a batch of 16, and one commit to
disk serves all requests of a batch.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, NamedTuple, TypeVar

from ..errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")
MAX_BATCH_ROWS = 1_000
"""A batch takes further items up to this many rows; one item may have more."""


class _Waiting(NamedTuple, Generic[Item, Result]):
    item: Item
    rows: int
    result: asyncio.Future[Result]


class MicroBatcher(Generic[Item, Result]):
    """Collects items that arrive in the same round of the event loop for one call of a handler.

    The handler returns a result for each item. When it raises, it is called for half of them, until
    only the items that it cannot handle get the error. One call runs at a time; what arrives
    meanwhile is the next batch. An item that arrives alone waits for no other.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        slots: asyncio.Semaphore,
        seconds: float,
    ) -> None:
        """Take the handler, and how many items may wait or be handled, and for how long.

        Several batchers may share the slots.
        """
        self._handle = handle
        self._slots = slots
        self._seconds = seconds
        self._max_items = MAX_BATCH_ROWS
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._batch: list[_Waiting[Item, Result]] = []
        self._call: asyncio.Task[Sequence[Result]] | None = None

    async def submit(self, item: Item, rows: int = 1) -> Result:
        """Queue an item of `rows` rows; return its result.

        Raises:
            Unavailable: too many items wait already, or the result takes too long.
        """
        if self._slots.locked():
            raise Unavailable("Too many requests wait for an answer: retry later.")
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(item, rows, result))
        if self._call is None:
            self._start()
        try:
            async with self._slots, asyncio.timeout(self._seconds):
                return await result
        except TimeoutError:
            raise Unavailable("The answer takes too long: retry later.") from None

    async def close(self) -> None:
        """Return when every item that waits has its result."""
        while self._call is not None:
            await asyncio.wait([self._call])

    def _start(self) -> None:
        context = Context()  # not that of the request which came first: its id is in log lines
        self._call = asyncio.get_running_loop().create_task(self._run(), context=context)
        self._call.add_done_callback(self._finish)

    async def _run(self) -> Sequence[Result]:
        self._batch = []
        rows = 0
        while self._queue and len(self._batch) < self._max_items:
            if self._batch and rows + self._queue[0].rows > MAX_BATCH_ROWS:
                break
            waiting = self._queue.popleft()
            if not waiting.result.done():  # cancelled, or timed out
                self._batch.append(waiting)
                rows += waiting.rows
        return await self._handle([waiting.item for waiting in self._batch]) if self._batch else ()

    def _finish(self, call: "asyncio.Task[Sequence[Result]]") -> None:
        """Set the result or error of each item; after an error, try smaller batches."""
        error = call.exception()
        concerns_all = isinstance(error, Unavailable) and error.concerns_all
        if error and len(self._batch) > 1 and not concerns_all:
            self._queue.extendleft(reversed(self._batch))
            self._max_items = len(self._batch) // 2
            self._start()
            return
        self._max_items = min(2 * self._max_items, MAX_BATCH_ROWS)
        for number, waiting in enumerate(self._batch):
            if waiting.result.done():
                continue
            if error:
                waiting.result.set_exception(error)
            else:
                waiting.result.set_result(call.result()[number])
        self._call = None
        if self._queue:
            self._start()


def split(items: Sequence[Item], bodies: Sequence[Sequence[object]]) -> list[list[Item]]:
    """Return the items of each body, which are one after the other in `items`."""
    each = iter(items)
    return [[next(each) for _ in body] for body in bodies]
