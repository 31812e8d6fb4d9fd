"""Requests that arrive together are answered together: one run of features and graph for all.

Whoever asks first starts the run at the end of this round of the event loop; what other connections
bring in the same round goes along. Alone, a request waits for nobody. The log is written in the
same round, too: into a file of this machine, that takes less time than a thread would.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

from ..contract import Past
from .batch import Answers, Versions, Watch, run_each
from .follower import AnyApi


@dataclass(frozen=True)
class _Waiting:
    requests: Sequence[Any]
    pasts: Sequence[Past]
    done: asyncio.Future[Answers]


class Together:
    """Those who wait for the end of the round."""

    def __init__(self, api: AnyApi, versions: Versions, watch: Watch) -> None:
        self.api, self.versions, self.watch = api, versions, watch
        self._waiting: list[_Waiting] = []

    async def answer(self, requests: Sequence[Any], pasts: Sequence[Past]) -> Answers:
        """Answer requests that bring their pasts."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._gather, 0)
        waiting = _Waiting(requests, pasts, loop.create_future())
        self._waiting.append(waiting)
        return await waiting.done

    def _gather(self, known: int) -> None:
        """Run, unless others came in this round: then a further round may bring more."""
        count = len(self._waiting)
        if count > known:
            asyncio.get_running_loop().call_soon(self._gather, count)
        else:
            self._run()

    def _run(self) -> None:
        """Answer all who wait; what goes wrong, they are told too."""
        round_, self._waiting = self._waiting, []
        requests = [request for one in round_ for request in one.requests]
        pasts = [past for one in round_ for past in one.pasts]
        answers = asyncio.get_running_loop().create_task(self._answer(requests, pasts))
        answers.add_done_callback(partial(_tell, round_))

    async def _answer(self, requests: Sequence[Any], pasts: Sequence[Past]) -> Answers:
        rows = self.api.rows(requests)
        served = self.versions.choose(rows[self.api.memory.subject].tolist())
        batches, answers = run_each(rows, pasts, served, self.versions)
        if self.watch.before:
            self.watch.before(batches)
        if self.watch.after:
            self.watch.after(batches)
        return answers


def _tell(round_: Sequence[_Waiting], answers: asyncio.Future[Answers]) -> None:
    """Give each who waits its answers, or the error."""
    error = answers.exception()
    ends = accumulate(len(one.requests) for one in round_)
    for one, end in zip(round_, ends, strict=True):
        mine = slice(end - len(one.requests), end)
        if one.done.done():
            continue
        if error:
            one.done.set_exception(error)
        else:
            given = answers.result()
            one.done.set_result(Answers(given.predictions[mine], given.versions[mine]))
