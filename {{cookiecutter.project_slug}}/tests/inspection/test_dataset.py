"""Images of folders and tables are read; photos of a part stay together."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.bundle import Bundle, Manifest
from project_package.errors import UserError
from project_package.inspection.dataset import find_copies, load_data, read_batch
from project_package.inspection.decide_and_explain import Details
from project_package.inspection.images import encode, stack, to_base64
from project_package.inspection.params import InspectionParams
from project_package.inspection.split import split
from project_package.inspection.training import incompatible

RANDOM = np.random.default_rng(0)
MANIFEST = Manifest(name="", candidate="", settings={}, created="", commit="", data="", test="")


def params(**data: Any) -> InspectionParams:
    return InspectionParams.model_validate({"name": "tiny", "data": {"size": 32, **data}})


def silent(_: float) -> None:
    """Report nothing."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Write 40 photos of good parts, and 20 with a crack."""
    for kind, count in (("good", 40), ("crack", 20)):
        folder = tmp_path / "photos" / kind
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = RANDOM.integers(0, 255, (40, 50), np.uint8)
            (folder / f"{number:02}.png").write_bytes(encode(pixels))
    return tmp_path / "photos"


def test_folder_names_are_classes(photos: Path, tmp_path: Path) -> None:
    load_data(params(source=str(photos)), tmp_path, silent)
    table = pl.read_parquet(tmp_path / "rows.parquet")
    assert dict(table.group_by("kind").len().iter_rows()) == {"good": 40, "crack": 20}
    find_copies(params(), tmp_path, silent)
    splits = split(params(source=str(photos)), tmp_path)
    assert len(splits.test["name"]) == 15
    (photos / "good" / "more").mkdir()
    (photos / "good" / "00.png").rename(photos / "good" / "more" / "00.png")
    load_data(params(source=str(photos)), tmp_path, silent)
    assert sorted(pl.read_parquet(tmp_path / "rows.parquet")["kind"]) == sorted(table["kind"])
    assert stack(splits.train["image"]).shape == (45, 32, 32)


def test_table_names_paths_kinds_and_parts(photos: Path, tmp_path: Path) -> None:
    names = sorted(str(path.relative_to(photos)) for path in photos.glob("*/*"))
    kinds = [name.split("/")[0] for name in names]
    parts = [f"part {number // 2}" for number in range(len(names))]
    table = {"path": names, "kind": kinds, "part": parts, "type": ["round", "square"] * 30}
    pl.DataFrame(table).write_csv(photos / "list.csv")
    own = params(source=str(photos / "list.csv"))
    load_data(own, tmp_path, silent)
    find_copies(own, tmp_path, silent)
    splits = split(own, tmp_path)
    assert {*splits.train["type"]} == {"round", "square"}
    (fold,) = splits.folds
    for one, two in ((splits.train, splits.test), (fold.train, fold.valid)):
        assert not {*one["part"]} & {*two["part"]}
    assert not {*fold.valid["part"]} & {*splits.test["part"]}


@pytest.mark.parametrize("count", [1, 3, 5])
def test_folds_score_different_rows_of_training(photos: Path, tmp_path: Path, count: int) -> None:
    load_data(params(source=str(photos)), tmp_path, silent)
    find_copies(params(), tmp_path, silent)
    options = {**params(source=str(photos)).model_dump(), "split": {"folds": count}}
    splits = split(InspectionParams.model_validate(options), tmp_path)
    training = {*splits.train["name"]}
    assert len(splits.folds) == count
    scored = [{*fold.valid["name"]} for fold in splits.folds]
    assert sum(map(len, scored)) == len(set().union(*scored))
    for fold, names in zip(splits.folds, scored, strict=True):
        assert {*fold.train["name"]} == training - names
        assert len(names) == pytest.approx(len(training) / max(4, count), abs=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.rename(p.with_name("other")), "There is no file or folder"),
        (lambda p: (p / "good").rename(p / "fine"), "has no folder good .* there are crack, fine"),
        (
            lambda p: shutil.rmtree(p / "crack"),
            "has no image that is defective: its kinds are good",
        ),
        (lambda p: (p / "good" / "00.png").write_text("text"), "00.png must be a complete PNG"),
    ],
)
def test_wrong_folder_is_refused(change: Any, message: str, photos: Path, tmp_path: Path) -> None:
    change(photos)
    with pytest.raises(UserError, match=message):
        load_data(params(source=str(photos)), tmp_path, silent)
    assert not (tmp_path / "rows.parquet").exists()


def test_table_without_a_column_is_refused(photos: Path, tmp_path: Path) -> None:
    (photos / "list.csv").write_text("path,label\na.png,good\n")
    with pytest.raises(UserError, match="has no column kind"):
        load_data(params(source=str(photos / "list.csv")), tmp_path, silent)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "list.csv is not a readable CSV or Parquet file: empty CSV"),
        ("path,kind\n,good\n", "Row 1 of .*list.csv has no path"),
        ("path,kind\na.png,good\nb.png, \n", "Row 2 of .*list.csv has no kind"),
        ("path,kind\n", "list.csv has no rows"),
        ("path,kind\na.png,good\na.png,dent\n", "list.csv has the path .*a.png twice"),
    ],
)
def test_table_that_cannot_be_read_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        load_data(params(source=str(tmp_path / "list.csv")), tmp_path, silent)
    (tmp_path / "list.parquet").write_bytes(b"no Parquet")
    for read in (lambda p: load_data(params(source=str(p)), tmp_path, silent), batch_of):
        with pytest.raises(UserError, match=r"list\.parquet is not a readable"):
            read(tmp_path / "list.parquet")


def batch_of(source: Path) -> Any:
    return read_batch(params(), source, source.parent)


def test_table_can_be_parquet_with_absolute_paths_and_gaps(photos: Path, tmp_path: Path) -> None:
    paths = [str(path) for path in sorted(photos.glob("*/*"))]
    parts = ["007", None] * 30
    kinds = [path.split("/")[-2].replace("good", " Good") for path in paths]
    table = pl.DataFrame({"path": paths, "kind": kinds, "part": parts})
    table.write_parquet(photos / "list.parquet")
    load_data(params(source=str(photos / "list.parquet")), tmp_path, silent)
    found = pl.read_parquet(tmp_path / "rows.parquet")
    assert found["part"].to_list()[:2] == ["007", paths[1]]
    assert found["part"].n_unique() == 31
    assert {*found["kind"]} == {"good", "crack"}
    table.write_csv(photos / "list.csv")
    assert batch_of(photos / "list.csv")["part"][0] == "007"


def test_too_few_parts_are_refused(photos: Path, tmp_path: Path) -> None:
    for path in sorted((photos / "crack").iterdir())[3:]:
        path.unlink()
    load_data(params(source=str(photos)), tmp_path, silent)
    find_copies(params(), tmp_path, silent)
    with pytest.raises(UserError, match="3 parts with one label are too few to split them in 4"):
        split(params(source=str(photos)), tmp_path)


def test_just_enough_parts_are_split(photos: Path, tmp_path: Path) -> None:
    for path in sorted((photos / "crack").iterdir())[8:]:
        path.unlink()
    for path in sorted((photos / "good").iterdir())[5:]:
        path.unlink()
    load_data(params(source=str(photos)), tmp_path, silent)
    find_copies(params(), tmp_path, silent)
    options = {**params(source=str(photos)).model_dump(), "split": {"test_share": 0.2}}
    splits = split(InspectionParams.model_validate(options), tmp_path)
    assert (~splits.test["is_defective"]).sum() == 1
    options["split"] = {"test_share": 1 / 6}
    with pytest.raises(UserError, match="5 parts with one label are too few to split them in 6"):
        split(InspectionParams.model_validate(options), tmp_path)


def test_seed_decides_the_split(photos: Path, tmp_path: Path) -> None:
    load_data(params(source=str(photos)), tmp_path, silent)
    find_copies(params(), tmp_path, silent)
    seeds = (params().model_copy(update={"seed": seed}) for seed in (1, 1, 2))
    one, two, other = ({*split(seeded, tmp_path).test["name"]} for seeded in seeds)
    assert one == two != other


def test_copies_of_training_images_are_marked(photos: Path, tmp_path: Path) -> None:
    load_data(params(source=str(photos)), tmp_path, silent)
    find_copies(params(), tmp_path, silent)
    assert not split(params(), tmp_path).test["copied"].any()
    rows = pl.read_parquet(tmp_path / "rows.parquet")
    first = split(params(), tmp_path).train["name"][0]
    rows.with_columns(copies=pl.lit(first)).write_parquet(tmp_path / "rows.parquet")
    assert split(params(), tmp_path).test["copied"].all()


def test_batch_is_a_folder_or_a_table(photos: Path, tmp_path: Path) -> None:
    found = read_batch(params(), photos, tmp_path)
    assert found["image"].shape == (60, 32, 32)
    assert found["name"][0] == str(photos / "crack" / "00.png")
    (photos / "list.csv").write_text("path\ngood/00.png\ncrack/00.png\n")
    assert len(read_batch(params(), photos / "list.csv", tmp_path)["name"]) == 2
    assert len(read_batch(params(), photos / "good" / "00.png", tmp_path)["name"]) == 1
    pl.DataFrame({"image": [to_base64(found["image"][3])], "name": ["K"]}).write_parquet(
        tmp_path / "new.parquet"
    )
    again = read_batch(params(), tmp_path / "new.parquet", tmp_path)
    assert np.array_equal(again["image"][0], found["image"][3])
    assert again["name"].tolist() == ["K"]
    (photos / "list.csv").write_text("file\ngood/00.png\n")
    with pytest.raises(UserError, match="has no column path"):
        read_batch(params(), photos / "list.csv", tmp_path)
    pl.DataFrame({"image": ["no image"]}).write_csv(photos / "list.csv")
    with pytest.raises(UserError, match="The image in row 1 must be a PNG or JPEG"):
        read_batch(params(), photos / "list.csv", tmp_path)
    with pytest.raises(UserError, match="There is no file or folder"):
        read_batch(params(), photos / "gone", tmp_path)


def test_model_for_another_size_is_incompatible() -> None:
    bundle = Bundle(Details(size=48, inputs="pixels").files(), MANIFEST)
    assert incompatible(params(size=48), bundle) == ""
    assert incompatible(params(), bundle) == "reads images of 48 pixels (data.size)"
