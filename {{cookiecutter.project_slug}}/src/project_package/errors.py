"""The two ways a command stops without a traceback, and the exit code of each."""


class UserError(Exception):
    """Something the user can mend: one sentence with what, which value and what to do."""

    exit_code = 2


class GateRefused(Exception):
    """A gate said no: the message names the rules and the numbers."""

    exit_code = 1
