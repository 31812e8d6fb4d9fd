"""The checks of the data: D1 to D7."""

from .checks import Check

DATA: tuple[Check, ...] = ()
