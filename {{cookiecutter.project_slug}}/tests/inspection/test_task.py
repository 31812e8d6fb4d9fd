"""Answers name the region of a defect, and say what is watched."""

from typing import Any

import numpy as np

from project_package.columns import Columns
from project_package.inspection.decide_and_explain import Details, InspectionModel
from project_package.inspection.images import to_base64
from project_package.inspection.schemas import InspectionRequest, request_type
from project_package.inspection.task import monitored, to_responses, to_rows
from project_package.inspection.usable import Usable

DARK = np.full((64, 64), 120, np.uint8)
SPOT = DARK.copy()
SPOT[40:48, 8:16] = 250


class Brightest:
    """A model whose probability grows with the brightest pixel."""

    def predict(self, rows: Columns) -> Columns:
        highest = rows["image"].max((1, 2)).astype(np.float32)
        return {"output": (highest - 100) / 200}


USABLE = Usable(side=32, contrast=2, sharpness=0.5)
MODEL = InspectionModel(
    Brightest(), Details(size=64, inputs="pixels", threshold=0.5, usable=USABLE)
)


def test_region_of_the_defect_moves_the_score() -> None:
    requests = [InspectionRequest(image=SPOT, explain=True), InspectionRequest(image=SPOT)]
    rows = to_rows(requests)
    explained, plain = to_responses(rows, MODEL.predict(rows))
    assert explained.regions
    moved = np.argwhere(np.array(explained.regions) > 0)
    assert {*map(tuple, moved.tolist())} == {(r, c) for r in (4, 5, 6) for c in (0, 1, 2)}
    assert plain.regions is None
    assert explained.decision == "defect"


def test_picture_that_shows_nothing_is_unusable() -> None:
    stripes = np.tile(np.array([[100], [130]], np.uint8), (32, 64))
    noise = np.random.default_rng(1).integers(0, 255, (2000, 3), np.uint8)
    slope = np.tile(np.linspace(100, 130, 64).astype(np.uint8), (64, 1))
    pictures = [SPOT, stripes, noise, noise[:1, :1], DARK, slope]
    read = request_type(64)
    rows = to_rows([read(image=image, explain=True) for image in pictures])
    answers = to_responses(rows, MODEL.predict(rows))
    found = [answer.unusable for answer in answers]
    assert found == [None, None, "side", "side", "contrast", "sharpness"]
    unusable = [answer.unusable is not None for answer in answers]
    assert [answer.decision == "unusable" for answer in answers] == unusable
    assert [answer.probability is None for answer in answers] == unusable
    assert [answer.regions is None for answer in answers] == unusable
    assert np.isnan(monitored(rows, MODEL.predict(rows))["probability"]).tolist() == unusable


def test_images_of_other_sizes_are_scaled() -> None:
    rows = to_rows([request_type(64)(image=np.zeros((10, 300), np.uint8), part_id="P")])
    assert rows["image"].shape == (1, 64, 64)
    assert (rows["part"][0], rows["name"][0]) == ("P", "")


def test_light_and_focus_are_watched() -> None:
    rows = {"image": np.stack([DARK, SPOT])}
    found = monitored(rows, MODEL.predict(rows))
    assert found["brightness"][0] == 120
    assert found["contrast"][0] == found["sharpness"][0] == 0
    assert (found["contrast"][1] > 0) & (found["sharpness"][1] > 0)


def test_decision_is_made_at_the_threshold() -> None:
    details = Details(size=64, inputs="pixels", threshold=0.3)
    found: Any = details.decide(np.array([0.2, 0.3, 0.4], np.float32))
    assert found["decision"].tolist() == [False, True, True]


def test_image_in_base64_reaches_the_model() -> None:
    request = request_type(64).model_validate({"image": to_base64(SPOT)})
    assert np.array_equal(to_rows([request])["image"][0], SPOT)


def test_large_images_are_predicted_in_slices() -> None:
    seen = []

    class Counted(Brightest):
        def predict(self, rows: Columns) -> Columns:
            seen.append(len(rows["image"]))
            return super().predict(rows)

    model = InspectionModel(Counted(), Details(size=512, inputs="pixels"))
    images = np.zeros((20, 512, 512), np.uint8)
    images[13] = 200
    found = model.predict({"image": images})["probability"]
    assert seen == [8, 8, 4]
    assert np.flatnonzero(found == found.max()).tolist() == [13]
    assert len(model.predict({"image": images[:0]})["probability"]) == 0
