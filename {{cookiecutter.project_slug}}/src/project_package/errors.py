"""Errors for people: each message says what is wrong, which value, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches
from textwrap import shorten


class UserError(Exception):
    """Something that the user can fix; commands exit with 2."""

    exit_code = 2


class Unavailable(UserError):
    """A service that is needed cannot be used now; a retry may succeed. Commands exit with 75."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h
    concerns_all = True
    """Whether it cannot be used for other requests either."""


class ModelError(UserError):
    """A model cannot be loaded, or cannot answer these rows."""


class MissingColumn(KeyError):
    """Rows do not have a column that the code reads."""


OTHER_CODE = "which this model reads: use the code that it was trained with, or run `ml rollback`."
"""The end of the message when a model reads a column that the code does not have."""


class GateRefused(Exception):
    """A gate refused: the message names the rules and the numbers."""

    exit_code = 1


class RetrainNeeded(Exception):
    """The champion is not as good as it was, or other instances arrive: the message says why."""

    exit_code = 3


def suggest(name: str, known: Iterable[str]) -> str:
    """Suggest the nearest known name, or list them."""
    names = {other.lower(): other for other in known}
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    if matches := near or [other for other in names if name and name.lower() in other]:
        return f'did you mean "{names[matches[0]]}"?'
    listed = shorten(", ".join(names.values()), 500, placeholder=" and others")
    return f"there are {listed}." if names else "there are none."


def require_known(where: str, names: Iterable[str], kind: str, known: Iterable[str]) -> None:
    """Raise UserError for a name in `where`, a parameter or option, that is not a known one."""
    known = tuple(known)
    for name in names:
        if name not in known:
            raise UserError(f'{where}: "{name}" is not {kind}; {suggest(name, known)}')
