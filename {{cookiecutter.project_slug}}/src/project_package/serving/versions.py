"""Which version answers whom: the champion, or for a share of customers the challenger (canary)."""

from collections.abc import Sequence
from hashlib import blake2b

from .follower import Follower, Served

WHOLE = 2**64


class Versions:
    """The versions that may answer."""

    def __init__(
        self, champion: Follower, challenger: Follower | None = None, canary: float = 0
    ) -> None:
        """Take the followers, and the share of subjects (0 to 1) that the challenger answers."""
        self.champion, self.challenger = champion, challenger
        self._limit = canary * WHOLE

    def choose(self, subjects: Sequence[str]) -> list[Served]:
        """Give the version that answers each subject: a card, a product or a household.

        The same subject is always on the same side. The champion must be there.
        """
        champion = self.champion.served
        assert champion is not None  # noqa: S101 - a request is refused before while it is not
        challenger = self.challenger.served if self.challenger and self._limit else None
        if challenger is None:
            return [champion] * len(subjects)
        return [challenger if _place(s) < self._limit else champion for s in subjects]

    def stand_in(self, failed: Served, error: Exception) -> Served:
        """Give the champion for a challenger that failed, which answers nobody any more.

        The champion's own error is raised.
        """
        champion = self.champion.served
        if champion is None or self.challenger is None or failed.alias == self.champion.alias:
            raise error
        reason = f"Version {failed.version} failed on a request: {type(error).__name__}."
        self.challenger.refuse(reason)
        return champion


def _place(subject: str) -> int:
    """Give a place on the whole that depends on the name only."""
    return int.from_bytes(blake2b(subject.encode(), digest_size=8).digest(), "big")
