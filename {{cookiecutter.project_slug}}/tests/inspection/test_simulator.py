"""The simulator draws what it says, and knows how visible each defect is."""

import numpy as np
import pytest

from project_package.inspection.simulator import (
    KINDS,
    Simulated,
    photo,
    simulate,
    spectrum,
    visibility,
)

ROWS = simulate(Simulated(parts=400, size=32, seed=1))


def test_two_photos_of_a_part_share_its_defect() -> None:
    assert ROWS["image"].shape == (800, 32, 32)
    assert len({*ROWS["name"]}) == 800
    kinds = ROWS["kind"].reshape(400, 2)
    assert (kinds[:, 0] == kinds[:, 1]).all()
    assert {*ROWS["kind"]} == {"good", *KINDS}
    assert 0.2 < ROWS["is_defective"].mean() < 0.3


def test_same_seed_draws_the_same_photos() -> None:
    again, other = (simulate(Simulated(parts=100, size=32, seed=seed))["image"] for seed in (1, 2))
    assert np.array_equal(again, ROWS["image"][:200])
    assert not np.array_equal(again, other)


def test_only_defects_are_visible() -> None:
    assert (ROWS["visibility"] > 0).tolist() == ROWS["is_defective"].tolist()


def test_surface_has_the_power_of_its_spectrum() -> None:
    random = np.random.default_rng(0)
    power = spectrum(32)
    photos = np.array([photo(random, np.zeros((32, 32)), power) for _ in range(400)], float)
    found = np.mean(np.abs(np.fft.fft2(photos)) ** 2, axis=0) / 32**2
    high = np.s_[:, 8:24]  # light and dust are low or flat
    assert np.median(found[high] / power[high]) == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("kind", list(KINDS))
def test_ideal_observer_separates_as_far_as_its_visibility(kind: str) -> None:
    random = np.random.default_rng(3)
    power = spectrum(32)
    defect = 4 * KINDS[kind](random, 32)
    template = np.real(np.fft.ifft2(np.fft.fft2(defect) / power))
    white = np.fft.fft2(random.standard_normal((4000, 32, 32)))
    surfaces = np.real(np.fft.ifft2(white * np.sqrt(power)))
    without = (surfaces * template).sum((1, 2))
    moved = float((defect * template).sum()) / without.std()
    assert moved == pytest.approx(visibility(defect, power), rel=0.05)
