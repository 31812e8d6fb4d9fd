"""Nothing is deleted by a clock that was changed."""

import time

import pytest

from project_package.serving.clock import Clock

YEARS = 74 * 365 * 86_400


@pytest.mark.parametrize(
    ("change", "is_right"),
    [(0, True), (3600, True), (-3600, True), (YEARS, False), (-YEARS, False)],
)
def test_notices_a_clock_that_was_changed(
    monkeypatch: pytest.MonkeyPatch, change: float, is_right: bool
) -> None:
    clock = Clock()
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + change)
    assert clock.is_right() == is_right
