"""The micro-batcher: what arrives together is one call, and nothing that waits is lost."""

import asyncio
from collections.abc import Sequence

import pytest

from project_package.errors import Unavailable
from project_package.serving.batching import MAX_BATCH_ROWS, MicroBatcher

pytestmark = pytest.mark.anyio


class Doubler:
    """Doubles numbers; fails when one of them is 0."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.may_finish = asyncio.Event()
        self.may_finish.set()

    async def handle(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append(list(numbers))
        await self.may_finish.wait()
        if 0 in numbers:
            raise ZeroDivisionError
        return [2 * number for number in numbers]


async def test_items_of_one_round_are_one_call() -> None:
    doubler = Doubler()
    batcher = MicroBatcher[int, int](doubler.handle, asyncio.Semaphore(9), 60)
    assert await asyncio.gather(*map(batcher.submit, (1, 2, 3))) == [2, 4, 6]
    assert await batcher.submit(4) == 8
    assert doubler.calls == [[1, 2, 3], [4]]


async def test_items_that_arrive_during_a_call_are_the_next() -> None:
    doubler = Doubler()
    doubler.may_finish.clear()
    batcher = MicroBatcher[int, int](doubler.handle, asyncio.Semaphore(9), 60)
    waiting = [asyncio.create_task(batcher.submit(1))]
    await asyncio.sleep(0.01)
    waiting += [asyncio.create_task(batcher.submit(number)) for number in (2, 3)]
    await asyncio.sleep(0.01)
    assert doubler.calls == [[1]]
    doubler.may_finish.set()
    await batcher.close()
    assert [task.result() for task in waiting] == [2, 4, 6]
    assert doubler.calls == [[1], [2, 3]]


async def test_a_batch_has_a_limited_number_of_rows() -> None:
    doubler = Doubler()
    batcher = MicroBatcher[int, int](doubler.handle, asyncio.Semaphore(9), 60)
    sizes = (MAX_BATCH_ROWS - 1, 2, 10 * MAX_BATCH_ROWS)
    await asyncio.gather(*(batcher.submit(n, rows) for n, rows in enumerate(sizes, 1)))
    assert doubler.calls == [[1], [2], [3]]


async def test_errors_reach_the_items_they_belong_to() -> None:
    batcher = MicroBatcher[int, int](Doubler().handle, asyncio.Semaphore(9), 60)
    two, failed, six = await asyncio.gather(*map(batcher.submit, (1, 0, 3)), return_exceptions=True)
    assert (two, type(failed), six) == (2, ZeroDivisionError, 6)
    assert await batcher.submit(5) == 10


async def test_an_error_of_one_item_costs_few_calls() -> None:
    doubler = Doubler()
    batcher = MicroBatcher[int, int](doubler.handle, asyncio.Semaphore(64), 60)
    await asyncio.gather(*map(batcher.submit, range(64)), return_exceptions=True)
    assert sum(map(len, doubler.calls)) < 64 * 4  # a call for each of its halves, and so on
    assert len(doubler.calls) < 20


async def test_an_item_whose_client_has_gone_is_skipped() -> None:
    doubler = Doubler()
    batcher = MicroBatcher[int, int](doubler.handle, asyncio.Semaphore(2), 60)
    gone, waiting = (asyncio.create_task(batcher.submit(number)) for number in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await waiting == 4
    assert doubler.calls == [[2]]
    assert await asyncio.gather(*map(batcher.submit, (3, 4))) == [6, 8]


async def test_more_items_than_may_wait_are_refused() -> None:
    batcher = MicroBatcher[int, int](Doubler().handle, asyncio.Semaphore(2), 60)
    answers = await asyncio.gather(*map(batcher.submit, (1, 2, 3)), return_exceptions=True)
    assert answers[:2] == [2, 4]
    assert isinstance(answers[2], Unavailable)
    assert await batcher.submit(3) == 6


class Refused(Unavailable):
    """A service refuses an item, and can be used for others."""

    concerns_all = False


async def test_an_item_that_a_service_refuses_fails_alone() -> None:
    async def refuse_three(items: Sequence[int]) -> Sequence[int]:
        if 3 in items:
            raise Refused("no")
        return items

    batcher = MicroBatcher[int, int](refuse_three, asyncio.Semaphore(9), 60)
    answers = await asyncio.gather(*map(batcher.submit, range(6)), return_exceptions=True)
    assert [answer for answer in answers if not isinstance(answer, Refused)] == [0, 1, 2, 4, 5]


async def test_an_answer_that_takes_too_long_is_unavailable() -> None:
    async def sleep(items: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(60)
        return items

    with pytest.raises(Unavailable, match="takes too long"):
        await MicroBatcher[int, int](sleep, asyncio.Semaphore(9), 0.01).submit(1)
