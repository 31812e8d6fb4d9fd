"""Simulate photos of brushed metal parts, some with a scratch, a dent or a stain.

The surface is a stationary Gaussian texture with a known spectrum, so the best possible detection
is known too: for an observer who knows shape and place of a defect, the log-likelihood ratio is
normal with distance d', d'^2 = sum |S_k|^2 / P_k over frequencies (the prewhitening matched filter;
Barrett and Myers, Foundations of Image Science, 2004). Light changes from photo to photo, and dust,
which is harmless, looks like small defects; both make the task harder than d' says.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import zoom

from ..columns import Columns, concatenate, length, take
from ..frozen import Frozen
from .images import Pixels
from .sources import GOOD

Grey = NDArray[np.float64]


SIDE = 64  # pixels of a photo for which the defects have their sizes


class Simulated(Frozen):
    """What is simulated."""

    size: int = Field(default=SIDE, ge=32, le=512, description="side of the scaled image, pixels")
    parts: int = Field(default=1_500, ge=100, description="simulated parts, two photos of each")
    defect_rate: float = Field(
        default=0.25, gt=0, lt=1, description="of simulated parts; of images with drawn defects"
    )
    strength: float = Field(
        default=20, gt=0, description="of simulated and drawn defects, grey levels"
    )
    seed: int = Field(default=7, ge=0, description="of the simulator and of drawn defects")

    def drawn(self, good: int) -> int:
        """Return on how many of so many good images a defect is drawn."""
        return max(1, round(self.defect_rate * good))


VIEWS = 2  # photos of each part, slightly shifted
MARGIN = 0.15  # of the side: defects begin inside it
TEXTURE = 10.0
NOISE = 3.0
LIGHT = 12.0
SLOPE = 10.0
DUST = 25.0  # grey levels


def simulate(sizes: Simulated, images: NDArray[np.uint8] | None = None) -> Columns:
    """Return photos of parts, two of each; an array for the images may be given.

    image (rows, size, size) uint8; name, part, kind ("good", or that of the defect) and type
    (empty); is_defective; visibility, d' of the defect in this photo (float64, 0 without one).
    """
    size = sizes.size
    random = np.random.default_rng(sizes.seed)
    kinds = list(KINDS)
    power = spectrum(size)
    if images is None:
        images = np.empty((VIEWS * sizes.parts, size, size), np.uint8)
    rows: list[dict[str, Any]] = []
    for part in range(sizes.parts):
        kind = kinds[random.integers(len(kinds))] if random.random() < sizes.defect_rate else GOOD
        defect = np.zeros((size, size))
        if kind != GOOD:
            defect = draw_defect(random, kind, sizes.strength, size)
        for view in range(VIEWS):
            shown = np.roll(defect, random.integers(-4, 5, 2), (0, 1))
            images[len(rows)] = photo(random, shown, power)
            name = f"part-{part:05}"
            row = {"name": f"{name}-{view + 1}", "part": name, "kind": kind, "type": ""}
            rows.append({**row, "visibility": visibility(shown, power)})
    columns = {column.name: column.to_numpy() for column in pl.DataFrame(rows)}
    return {"image": images, **columns, "is_defective": columns["kind"] != GOOD}


def draw_defect(random: Generator, kind: str, strength: float, size: int) -> Grey:
    """Return what a defect adds to the grey levels of an image, (size, size)."""
    defect: Grey = random.lognormal(np.log(strength), 0.5) * KINDS[kind](random, size)
    return defect


def add_defects(good: Columns, images: NDArray[np.uint8], sizes: Simulated) -> Columns:
    """Return rows of good images, and of copies of some of them on which a defect is drawn.

    A defect is as large and as strong, compared with the image and its contrast, as in a simulated
    photo of 64 pixels. The column `position` says where in `images` the image is; the copies
    replace the last ones.
    """
    random = np.random.default_rng(sizes.seed)
    count = sizes.drawn(length(good))
    chosen = random.permutation(length(good))[:count]
    copied = take(good, chosen)
    kinds = random.choice([*KINDS], len(chosen)).astype(object)
    drawn_at = np.arange(len(images) - count, len(images))
    for kind, start, end in zip(kinds, copied["position"], drawn_at, strict=True):
        image = images[start]
        defect = zoom(draw_defect(random, kind, sizes.strength, SIDE), sizes.size / SIDE, order=1)
        added = defect * image.std() / np.hypot(TEXTURE, NOISE)
        images[end] = np.clip(image + added, 0, 255).astype(np.uint8)
    drawn = {
        "position": drawn_at,
        "name": copied["name"] + " with a " + kinds,
        "kind": kinds,
        "is_defective": np.ones(len(chosen), np.bool_),
    }
    return concatenate([good, {**copied, **drawn}])


def spectrum(size: int) -> Grey:
    """Return the power of texture and noise at each frequency, (size, size), in grey levels^2."""
    down, across = np.meshgrid(*[np.fft.fftfreq(size)] * 2, indexing="ij")
    brushed = np.exp(-((np.pi * across * 14) ** 2) - (np.pi * down * 1.2) ** 2)
    brushed[0, 0] = 0  # light is added by photo
    power: Grey = brushed / brushed.mean() * TEXTURE**2 + NOISE**2
    return power


def photo(random: Generator, defect: Grey, power: Grey) -> Pixels:
    """Return a photo of a surface with a defect: texture, light from one side, dust."""
    size = len(defect)
    y, x = np.mgrid[:size, :size]
    white = np.fft.fft2(random.standard_normal((size, size)))
    surface = np.real(np.fft.ifft2(white * np.sqrt(power)))
    down, across = random.normal(0, SLOPE, 2)
    surface += random.normal(128, LIGHT) + down * (y / size - 0.5) + across * (x / size - 0.5)
    for _ in range(random.poisson(1)):
        top, left = random.uniform(0, size, 2)
        surface += random.normal(0, DUST) * np.exp(-((y - top) ** 2 + (x - left) ** 2))
    return np.clip(surface + defect, 0, 255).astype(np.uint8)


def visibility(defect: Grey, power: Grey) -> float:
    """Return d' of a defect whose shape and place are known."""
    return float(np.sqrt(np.sum(np.abs(np.fft.fft2(defect)) ** 2 / power) / defect.size))


def turned(random: Generator, size: int) -> tuple[Grey, Grey]:
    """Return coordinates along and across a random direction, from a random place, in pixels."""
    y, x = np.mgrid[:size, :size]
    top, left = random.uniform(MARGIN * size, (1 - MARGIN) * size, 2)
    angle = random.uniform(0, np.pi)
    along = (x - left) * np.cos(angle) + (y - top) * np.sin(angle)
    return along, (y - top) * np.cos(angle) - (x - left) * np.sin(angle)


def scratch(random: Generator, size: int) -> Grey:
    """Return a thin, bent line, brighter or darker than the surface."""
    along, across = turned(random, size)
    width = random.uniform(0.5, 1.2)
    half = random.uniform(6, 20)
    line = np.exp(-((across - random.normal(0, 0.003) * along**2) ** 2) / (2 * width**2))
    ended: Grey = line / (1 + np.exp((np.abs(along) - half) * 2))
    return ended * float(random.choice([-1, 1]))


def dent(random: Generator, size: int) -> Grey:
    """Return a hollow, bright on the side of the light and dark on the other."""
    along, across = turned(random, size)
    radius = random.uniform(2.5, 7)
    shade: Grey = along / radius * np.exp(-(along**2 + across**2) / (2 * radius**2))
    return 1.6 * shade


def stain(random: Generator, size: int) -> Grey:
    """Return a dark ellipse with a soft edge."""
    along, across = turned(random, size)
    radius = random.uniform(4, 10)
    distance = np.hypot(along, across / random.uniform(0.5, 1)) / radius
    return -1 / (1 + np.exp((distance - 1) * 6))


KINDS: dict[str, Callable[[Generator, int], Any]] = {
    "scratch": scratch,
    "dent": dent,
    "stain": stain,
}
