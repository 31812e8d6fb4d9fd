"""The follower: it serves what the model store's pointer names, and follows when that moves.

A new bundle is loaded beside the one that serves: hashes verified, the graph's signature compared,
the golden examples answered (which warms it too). Then one assignment swaps the two, between two
requests. What fails a step is refused, and the old one keeps serving; so it does while the store
cannot be reached.
"""

import asyncio
import json
import logging
import math
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..bundle import EXAMPLES
from ..contract import Api
from ..errors import UserError
from ..onnx_model import UNFIT, Predictor
from ..model_store import CHAMPION, EVIDENCE, Pointer, Store, StoreUnreachable

AnyPredictor: TypeAlias = Predictor[Any, Any, Any]
AnyApi: TypeAlias = Api[Any, Any, Any]

CARD = "card.md"
CLOSE = 1e-5
"""How far a golden answer may be from the recorded one: another processor adds up otherwise."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """A version that answers."""

    version: str
    predictor: AnyPredictor
    card: str
    digest: str
    alias: str = CHAMPION

    @property
    def examples(self) -> list[dict[str, Any]]:
        """The golden examples: requests with their answers."""
        found: list[dict[str, Any]] = json.loads(self.predictor.bundle.assets.get(EXAMPLES, b"[]"))
        return found


class Follower:
    """What an alias of a store points to, loaded and proven.

    Of an `optional` alias only what the pointer names is served: nothing while there is none, or
    while what it names is refused.

    `served` is the version that answers, None before the first; a request takes it once and is
    answered by it whole. `refused` says why the newest is not served, and `unreachable` why nobody
    knows which the newest is; both are empty when all is well.
    """

    def __init__(self, api: AnyApi, store: Store, alias: str, optional: bool = False) -> None:
        self.api, self.store, self.alias, self.optional = api, store, alias, optional
        self.served: Served | None = None
        self.refused = self.unreachable = ""
        self.swaps = self.refusals = 0
        self._seen: Pointer | None = None
        self.check()

    def check(self) -> None:
        """Look where the pointer is; load, prove and serve what it names when it has moved."""
        try:
            pointer = self.store.pointer(self.alias)
            if pointer is None and self.optional:
                self._let_go()
            elif pointer is None or pointer != self._seen:
                self._move()
            self._seen = pointer
            self._say_unreachable("")
        except StoreUnreachable as error:  # the next look tries again
            self._say_unreachable(str(error))
        except UserError as error:  # the pointer is damaged
            self.refuse(str(error))

    def _move(self) -> None:
        try:
            fresh = load(self.api, self.store, self.alias)
            prove(fresh, self.served)
        except StoreUnreachable:
            raise
        except (UserError, ValueError) as error:  # of texts that are none, of inputs that lack
            self.refuse(str(error).splitlines()[0])
        else:
            self.served, self.refused = fresh, ""
            self.swaps += 1
            log.info("serves", extra={"alias": self.alias, "model_version": fresh.version})

    def _let_go(self) -> None:
        if self.served is not None:
            log.info("lets go", extra={"alias": self.alias, "model_version": self.served.version})
        self.served, self.refused = None, ""

    def refuse(self, reason: str) -> None:
        """Say why the newest version does not answer, until the pointer moves."""
        if self.optional:
            self.served = None
        if reason != self.refused:
            self.refused = reason
            self.refusals += 1
            log.warning("refused", extra={"alias": self.alias, "reason": reason})

    def _say_unreachable(self, reason: str) -> None:
        if reason and not self.unreachable:
            log.warning("unreachable", extra={"alias": self.alias, "reason": reason})
        self.unreachable = reason

    async def follow(self, seconds: float) -> None:
        """Look again and again, in a thread, so that no request waits; until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.check)


def load(api: AnyApi, store: Store, alias: str) -> Served:
    """Load the version that an alias points to.

    Raises:
        UserError: it is not there, damaged, or no graph that can be run.
    """
    version, bundle = store.load(alias)
    card = store.fetch(version, EVIDENCE).get(CARD, b"").decode()
    return Served(str(version), Predictor(bundle, api), card, bundle.digest, alias)


def prove(fresh: Served, old: Served | None) -> None:
    """Refuse a version whose graph takes or gives other things, or whose golden answers differ.

    Raises:
        UserError: what differs.
    """
    version = fresh.version
    if old is not None and fresh.predictor.signature != old.predictor.signature:
        raise UserError(
            f"Version {version} takes or gives other things than version {old.version}: restart "
            "the server with the code that it belongs to."
        )
    for number, example in enumerate(fresh.examples, 1):
        try:
            given = answer(fresh.predictor, example["request"])
        except UNFIT as error:
            first = str(error).splitlines()[0]
            raise UserError(f"Version {version} fails its example {number}: {first}") from error
        if not same(given, example["response"]):
            raise UserError(f"Version {version} gives another answer to its example {number}.")


def answer(predictor: AnyPredictor, request: Any) -> Any:
    """Answer one request in raw form."""
    parsed = predictor.api.request.model_validate(request)
    return predictor.answer([parsed])[0]


def same(one: Any, two: Any) -> bool:
    """Compare two answers in raw form; numbers may differ by a little."""
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=CLOSE, abs_tol=CLOSE)
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same(one[name], two[name]) for name in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two)
