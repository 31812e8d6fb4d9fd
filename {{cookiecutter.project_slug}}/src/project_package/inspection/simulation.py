"""Simulated traffic: photos of new parts each day, as they are or changed."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from scipy.ndimage import gaussian_filter

from ..contract.simulation import Damage, Json, Simulation
from ..errors import UserError
from .images import Pixels, encode, to_base64, to_pixels
from .params import SIMULATOR, Data
from .simulator import simulate
from .sources import GOOD

PARTS_A_DAY = 100
DAYS_APART = 1_000
"""Added to the seed of the data set: no day has the images of another."""
DARKER = 60  # grey levels
BLUR = 1.5  # pixels
MARKED = 0.5  # share of the good parts with chatter marks, after `concept`
WAVE = 6  # grey levels
WAVELENGTH = 5  # pixels


def day(data: Data, _: Path, number: int) -> pl.DataFrame:
    """Return photos of other parts than those of the data set, and of other days."""
    if data.source != SIMULATOR:
        raise UserError("Photos are simulated after simulated ones only: send your own.")
    seed = data.seed + DAYS_APART + number
    rows = simulate(data.model_copy(update={"parts": PARTS_A_DAY, "seed": seed}))
    images = [to_base64(image) for image in rows["image"]]
    table = pl.DataFrame({n: rows[n] for n in ("name", "part", "kind")} | {"image": images})
    named = (pl.format("day-{}-{}", pl.lit(number), n).alias(n) for n in ("name", "part"))
    return table.with_columns(named)


def requests(rows: pl.DataFrame) -> list[Json]:
    """Return photos with their names and parts."""
    renamed = rows.select("image", image_id="name", part_id="part")
    return renamed.to_dicts()


def labels(rows: pl.DataFrame) -> list[Json]:
    """Return which parts are defective."""
    return [{"defect": kind != GOOD} for kind in rows["kind"]]


def write_source(_: Path, rows: pl.DataFrame, file: Path) -> tuple[str, ...]:
    """Write the photos into a folder, and a table with their kinds."""
    folder = file.with_suffix("")
    folder.mkdir(exist_ok=True)
    for name, image in rows.select("name", "image").iter_rows():
        (folder / f"{name}.png").write_bytes(encode(to_pixels(image)))
    paths = pl.format("{}/{}.png", pl.lit(folder.name), "name")
    table = file.with_suffix(".csv")
    rows.select(path=paths, kind="kind", part="part").write_csv(table)
    return (f"data.source={json.dumps(str(table))}",)


def darker(image: Pixels, strength: float) -> Pixels:
    """Return an image as under an old lamp."""
    return np.clip(image.astype(np.float64) - DARKER * strength, 0, 255).astype(np.uint8)


def blurred(image: Pixels, strength: float) -> Pixels:
    """Return an image as of a lens that is out of focus."""
    return np.asarray(gaussian_filter(image.astype(np.float64), BLUR * strength).astype(np.uint8))


def black(image: Pixels, _: float) -> Pixels:
    """Return an image as of a camera that sees nothing."""
    return np.zeros_like(image)


def on_images(change: Callable[[Pixels, float], Pixels], share: float = 1) -> Damage:
    """Return the damage that changes a share of the images."""

    def damage(rows: pl.DataFrame, strength: float, random: np.random.Generator) -> pl.DataFrame:
        is_changed = random.random(len(rows)) < share
        images = [
            to_base64(change(to_pixels(image), strength)) if changed else image
            for image, changed in zip(rows["image"].to_list(), is_changed, strict=True)
        ]
        return rows.with_columns(pl.Series("image", images))

    return damage


def population(rows: pl.DataFrame, strength: float, random: np.random.Generator) -> pl.DataFrame:
    """Leave out good parts, as after a faulty delivery."""
    is_good = rows["kind"] == GOOD
    return rows.filter(~(is_good & pl.Series(random.random(len(rows)) < 0.7 * strength)))


def concept(rows: pl.DataFrame, strength: float, random: np.random.Generator) -> pl.DataFrame:
    """Add a new kind of defect: chatter marks, as a worn tool leaves them, on good parts."""
    is_marked = random.random(len(rows)) < MARKED
    is_marked &= rows["kind"].to_numpy() == GOOD
    images = [
        to_base64(marked(to_pixels(image), strength, random)) if mark else image
        for image, mark in zip(rows["image"].to_list(), is_marked, strict=True)
    ]
    kinds = pl.when(pl.lit(pl.Series(is_marked))).then(pl.lit("chatter")).otherwise("kind")
    return rows.with_columns(pl.Series("image", images), kinds.alias("kind"))


def marked(image: Pixels, strength: float, random: np.random.Generator) -> Pixels:
    """Return an image with parallel waves in a random direction."""
    size = len(image)
    y, x = np.mgrid[:size, :size]
    angle = random.uniform(0, np.pi)
    phase = random.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    wave = WAVE * strength * np.sin(2 * np.pi * along / WAVELENGTH + phase)
    found: Pixels = np.clip(image + wave, 0, 255).astype(np.uint8)
    return found


def make_simulation(data: Data) -> Simulation:
    """Return how photos are simulated."""
    return Simulation(
        day=partial(day, data),
        damages={
            "shift": on_images(darker),
            "blur": on_images(blurred),
            "broken": on_images(black, share=0.2),
            "population": population,
            "concept": concept,
        },
        requests=requests,
        labels=labels,
        write_source=write_source,
        collect_days=6,
    )
