"""Requests that arrive together are answered together: one run of features and graph for all.

Whoever asks first schedules the run for the end of this round of the event loop; what other
connections bring in the same round goes along. Alone, a request waits for nobody.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .follower import Served


class AnswerFailed(Exception):
    """Something else went wrong while several requests were answered; the log has it."""


@dataclass(frozen=True)
class _Waiting:
    served: Served
    requests: Sequence[Any]
    answers: asyncio.Future[list[str]]


class Together:
    """Those who wait for the end of the round."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []

    async def answer(self, served: Served, requests: Sequence[Any]) -> list[str]:
        """Answer requests that bring their past: one JSON text each."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._run)
        waiting = _Waiting(served, requests, loop.create_future())
        self._waiting.append(waiting)
        return await waiting.answers

    def _run(self) -> None:
        """Answer all of one version, then all of the next, should it have changed in this round."""
        round_, self._waiting = self._waiting, []
        try:
            for served in {id(one.served): one.served for one in round_}.values():
                _answer(served, [one for one in round_ if one.served is served])
        finally:  # an error goes to the loop's log; those who wait must not wait for ever
            for one in round_:
                if not one.answers.done():
                    one.answers.set_exception(AnswerFailed())


def _answer(served: Served, group: Sequence[_Waiting]) -> None:
    answers = iter(served.predictor.answer([r for one in group for r in one.requests]))
    for one in group:
        texts = [next(answers).model_dump_json() for _ in one.requests]
        if not one.answers.cancelled():
            one.answers.set_result(texts)
