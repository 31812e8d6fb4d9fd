"""The work that the state sees: requests without a past, events, labels; each a body, whole.

Within a turn, which is one transaction, works happen one after the other: each sees what those
before it have changed. Requests are gathered, and answered by one run of the graph at the end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from ..contract import Columns, Past, length
from ..features.history import EVENT
from ..state.base import State
from .batch import Answers
from .follower import AnyApi


class Refused(Exception):
    """An instance of a body that is not answered, and why."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place, self.reason = place, reason


@dataclass
class Turn:
    """The state in a transaction, the rows of all requests of the turn, and which are answered."""

    state: State
    rows: Columns
    new: list[int] = field(default_factory=list)
    """Rows that wait for the run of the graph; the others were answered before."""
    pasts: list[Past] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    """Where an answer stands, by the name that its request is remembered by."""
    answers: Answers = field(default_factory=lambda: Answers([], []))

    def keep_answers(self) -> None:
        """Keep the answers for those who ask again; the version stands before each."""
        given = self.answers
        kept = {n: f"{given.versions[p]} {given.predictions[p]}" for n, p in self.places.items()}
        self.state.keep_answers(kept)


Finish: TypeAlias = Callable[[], Any]
"""Gives what the client is told, after the graph ran."""


class Work(Protocol):
    """What a body asks for; `changed` says whether the turn is another since."""

    changed: bool

    def do(self, turn: Turn) -> Finish:
        """Do all that the state must see in order; raise Refused, and the body is refused."""


class Predict:
    """Answer requests: one that brings no past with what is remembered, and remember it."""

    def __init__(
        self, api: AnyApi, requests: Sequence[Any], pasts: Sequence[Past | None], start: int = 0
    ) -> None:
        self.api, self.requests, self.pasts = api, requests, pasts
        self.start, self.changed = start, False  # the first request's row of the turn

    def do(self, turn: Turn) -> Finish:
        """Gather those that were not answered before."""
        self.changed = False
        found = [self._gather(turn, place) for place in range(len(self.requests))]
        return lambda: _answers(turn, found)

    def _gather(self, turn: Turn, place: int) -> int | str:
        """Give the place of a request's answer in the turn, or the answer that it had before."""
        row = self.start + place
        if (past := self.pasts[place]) is not None:
            return self._put(turn, row, past, "")
        name = str(turn.rows[EVENT][row])
        answer: int | str | None = turn.places.get(name)
        if answer is None and name:
            answer = turn.state.answer(name)
        if answer is not None:
            if not turn.state.holds(turn.rows, row):
                raise Refused(place, "differs from what was answered under this name before")
            return answer
        return self._put(turn, row, self._remembered(turn, place, name), name)

    def _remembered(self, turn: Turn, place: int, name: str) -> Past:
        """Give the past that is remembered, and remember the row."""
        state, rows, row = turn.state, turn.rows, self.start + place
        if not state.covers(rows, row):
            raise Refused(place, "is too old: what came before it is remembered no more")
        past = state.past(rows, row)
        if reason := self.api.lacks(self.requests[place], past):
            raise Refused(place, reason)
        if name:
            if not state.add(rows, row):
                raise Refused(place, "is remembered already, and no answer to it is kept")
            self.changed = True
        return past

    def _put(self, turn: Turn, row: int, past: Past, name: str) -> int:
        self.changed = True
        turn.new.append(row)
        turn.pasts.append(past)
        if name:
            turn.places[name] = len(turn.new) - 1
        return len(turn.new) - 1


def _answers(turn: Turn, found: Sequence[int | str]) -> Answers:
    """Pick the answers from the turn, or read those that were kept."""
    given = turn.answers
    pairs = [
        (given.versions[known], given.predictions[known])
        if isinstance(known, int)
        else known.split(" ", 1)
        for known in found
    ]
    return Answers([answer for _, answer in pairs], [version for version, _ in pairs])


class Remember:
    """Remember events; gives how many were new, and how many too old to be kept."""

    def __init__(self, rows: Columns) -> None:
        self.rows, self.changed = rows, False

    def do(self, turn: Turn) -> Finish:
        """Add them."""
        new = old = 0
        for place in range(length(self.rows)):
            old += turn.state.is_old(self.rows, place)
            new += turn.state.add(self.rows, place)
        return lambda: (new, old)


class Label:
    """Set labels; gives the places of those whose event is not remembered."""

    def __init__(self, rows: Columns) -> None:
        self.rows, self.changed = rows, False

    def do(self, turn: Turn) -> Finish:
        """Set them."""
        places = range(length(self.rows))
        unknown = [place for place in places if not turn.state.label(self.rows, place)]
        return lambda: unknown
