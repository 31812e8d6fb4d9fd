"""The checks of the infrastructure: I1 to I7."""

from .checks import Check

INFRASTRUCTURE: tuple[Check, ...] = ()
