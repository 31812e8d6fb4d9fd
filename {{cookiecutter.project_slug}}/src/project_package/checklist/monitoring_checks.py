"""The checks of monitoring: O1 to O7."""

from .checks import Check

MONITORING: tuple[Check, ...] = ()
