"""The answers of the last hour, as the page shows them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from project_package.prediction_log import SHADOW, PredictionLog
from project_package.reference import describe
from project_package.serving.recent_answers import SAMPLE, read_recent

KEY = b"k" * 32
REFERENCE = describe(
    {"y": np.arange(21.0), "size": np.array(["large", "small"] * 10 + ["small"], object)},
    outputs=("y", "size"),
)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PredictionLog]:
    """Open an empty log."""
    opened = PredictionLog(f"sqlite:///{tmp_path}/log.db", KEY, 90)
    yield opened
    opened.close()


def logged(minutes: float, role: str = "champion", **monitored: Any) -> dict[str, Any]:
    """Return an answer that was given some minutes ago."""
    return {
        "time": datetime.now(UTC) - timedelta(minutes=minutes),
        "version": "1",
        "role": role,
        "prediction": "p",
        "event": "",
        "entity": "",
        "monitored": json.dumps(monitored),
        "answer": "{}",
        "row": None,
    }


def test_answers_are_counted_by_minute(log: PredictionLog) -> None:
    log.insert([[logged(61), logged(59.5), logged(1.5), logged(0.5), logged(0.5)]])
    log.insert([[logged(0.5, SHADOW)]])
    recent = read_recent(log, None)
    assert recent
    assert recent.answers == 4
    counts = {minute: count for minute, count in enumerate(recent.minutes) if count}
    assert counts == {0: 1, 58: 1, 59: 2}


def test_numbers_beyond_the_reference_are_in_the_outer_bars(log: PredictionLog) -> None:
    log.insert([[logged(1, y=-5), logged(1, y=0), logged(1, y=10), logged(1, y=99)]])
    recent = read_recent(log, REFERENCE)
    assert recent
    (output,) = recent.outputs
    assert output.is_number
    shares = [bar.share for bar in output.bars]
    assert (shares[0], shares[10], shares[-1], sum(shares)) == (0.5, 0.25, 0.25, 1)
    assert output.bars[10].label == "10 to 11"


def test_categories_are_ordered_by_frequency(log: PredictionLog) -> None:
    log.insert([[logged(1, size="small"), logged(1, size="new"), logged(1, size="small")]])
    recent = read_recent(log, REFERENCE)
    assert recent
    (output,) = recent.outputs
    assert not output.is_number
    assert [bar.label for bar in output.bars] == ["small", "new"]


def test_many_answers_are_estimated_from_a_sample(log: PredictionLog) -> None:
    count = 3 * SAMPLE
    log.insert([[logged(5.5)] * count])
    recent = read_recent(log, None)
    assert recent
    assert recent.answers == count == sum(recent.minutes)


def test_log_that_cannot_be_used_has_nothing_recent(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"no database" * 100)
    assert read_recent(PredictionLog(f"sqlite:///{tmp_path}/log.db", KEY, 90), REFERENCE) is None
