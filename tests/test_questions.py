"""The questions, their defaults, and the answers that are refused before anything is written."""

import itertools
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from conftest import ANSWERS, PROGRAM, TEMPLATE, Bake, cookiecutter_command
from cookiecutter.exceptions import FailedHookException
from cookiecutter.generate import generate_context
from cookiecutter.prompt import prompt_for_config
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from reserved_names import reserved_names

from project_package.contract.training import Training
from project_package.read_params import read_params
from project_package.state.event_store import retention

ROWS = ANSWERS["_use_cases"]
QUESTIONS = [name for name in ANSWERS if not name.startswith("_")]

REASONS = {"in use": "is a name that Python, a library, Windows or the project itself uses"}
REFUSED = [
    ("project_name", "", "is empty"),
    ("project_name", "   ", "is empty"),
    ("project_name", 'The "best" one', "a quote"),
    ("author", "", "is empty"),
    ("author", "Ada \\ Grace", "a backslash"),
    ("description", "", "is empty"),
    ("description", "one\ntwo", "a line break"),
    ("description", "a\u200bb", "an invisible character"),
    ("description", '"""', "a quote"),
    ("project_slug", "card fraud", "single hyphens"),
    ("project_slug", "Card-Fraud", "single hyphens"),
    ("project_slug", "card_fraud", "single hyphens"),
    ("project_slug", "card--fraud", "single hyphens"),
    ("project_slug", "-card", "single hyphens"),
    ("project_slug", "card:fraud", "single hyphens"),
    ("project_slug", "carte-bancaire-é", "single hyphens"),
    ("project_slug", "../card", "single hyphens"),
    ("project_slug", "scikit-learn", "in use"),
    ("project_slug", "protobuf", "in use"),
    ("project_slug", "test", "in use"),
    ("project_slug", "con", "in use"),
    ("package_name", "card-fraud", "after a letter"),
    ("package_name", "3d_parts", "after a letter"),
    ("package_name", "_private", "after a letter"),
    ("package_name", "CardFraud", "after a letter"),
    ("package_name", "f", "after a letter"),
    ("package_name", "prüfung", "after a letter"),
    ("package_name", "x" * 33, "33 characters"),
    *[("package_name", name, "in use") for name in ("class", "match", "type", "json", "test")],
    *[
        ("package_name", name, "in use")
        for name in ("nul", "com1", "aux", "lpt1", "polars", "docker", "joblib", "requests")
    ],
    *[("package_name", name, "in use") for name in ("tests", "project_package", "demand")],
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case[0]}={case[1]!r}")
def test_bad_answer_is_refused_in_one_sentence(
    case: tuple[str, str, str], bake: Bake, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    question, answer, reason = case
    good = {"project_slug": "good-slug", "package_name": "good_package", "project_name": "Good"}
    with pytest.raises(FailedHookException):
        bake(**{**good, question: answer})
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith(question)]
    assert len(errors) == 1
    assert REASONS.get(reason, reason) in errors[0]
    assert errors[0].endswith(".")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("slug", ["x" * 33, "3d-parts"])
@pytest.mark.parametrize("answers", [{"kubernetes": "yes"}, {"cloud": "aws"}, {}])
def test_slug_is_a_name_where_the_project_is_deployed(
    slug: str, answers: dict[str, str], bake: Bake, capfd: pytest.CaptureFixture[str]
) -> None:
    if answers:
        with pytest.raises(FailedHookException):
            bake(project_slug=slug, package_name="parts", **answers)
        assert "cannot be a name in a cluster or a cloud" in capfd.readouterr().err
    else:
        bake(project_slug=slug, package_name="parts")


def test_all_bad_answers_are_reported_at_once(
    bake: Bake, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FailedHookException):
        bake(author="", project_slug="A b", package_name="class")
    errors = capfd.readouterr().err
    assert all(name in errors for name in ("author", "project_slug", "package_name"))


def test_refusal_is_the_first_line_that_cookiecutter_prints(tmp_path: Path) -> None:
    done = cookiecutter_command("--no-input", "-o", str(tmp_path), str(TEMPLATE), "author= ")
    assert done.stdout.splitlines()[0] == "author is empty; write at least one word."
    assert done.returncode == 1


@pytest.mark.parametrize("version", ANSWERS["python_version"])
def test_offered_python_is_used(version: str, bake: Bake) -> None:
    assert (bake(python_version=version) / ".python-version").read_text().strip() == version


def test_newest_python_is_the_default_and_all_are_required() -> None:
    offered = ANSWERS["python_version"]
    assert offered == sorted(offered, key=Version, reverse=True)
    metadata = tomllib.loads((PROGRAM / "pyproject.toml").read_text(encoding="utf-8"))
    required = SpecifierSet(metadata["project"]["requires-python"])
    minors = [f"3.{minor}" for minor in range(9, 30)]
    assert {*offered} == {*required.filter(minors)}


def test_python_that_is_not_offered_is_refused(bake: Bake, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"3\.10 provided for choice variable python_version"):
        bake(python_version="3.10")
    assert not list(tmp_path.iterdir())


def test_reserved_names_are_complete() -> None:
    missing = reserved_names() - {*ANSWERS["_reserved"].split()}
    assert not missing, "`.venv/bin/python -B tests/reserved_names.py` adds them"


def test_every_question_has_a_prompt() -> None:
    assert list(ANSWERS["__prompts__"]) == QUESTIONS


def test_each_use_case_is_offered_with_a_description() -> None:
    labels = {name: f"{row['title']}: {row['teaches']}" for name, row in ROWS.items()}
    offered = ANSWERS["__prompts__"]["use_case"]
    assert offered == {"__prompt__": offered["__prompt__"], **labels}


def test_every_question_has_a_default() -> None:
    context = generate_context(str(TEMPLATE / "cookiecutter.json"))
    answers = prompt_for_config(context, no_input=True)
    assert all(answers[name] for name in QUESTIONS)


def test_each_use_case_has_a_row_a_choice_and_a_folder() -> None:
    assert ANSWERS["use_case"] == list(ROWS)
    assert len({frozenset(row) for row in ROWS.values()}) == 1, "rows have the same keys"
    package = PROGRAM / "src" / "project_package"
    assert {path.parent.name for path in package.glob("*/entry_point.py")} == set(ROWS)


def test_paths_of_each_part_and_option_exist() -> None:
    package = PROGRAM / "src" / "project_package"
    for path in itertools.chain(*ANSWERS["_parts"].values(), *ANSWERS["_options"].values()):
        module = Path(path)
        test = PROGRAM / "tests" / module.with_name(f"test_{module.name}.py")
        code = [folder / module for folder in (package, PROGRAM / "tests", PROGRAM)]
        paths = [test, *code, *(one.with_name(f"{one.name}.py") for one in code)]
        assert any(one.exists() for one in paths), module


def test_each_choice_of_an_option_but_the_default_has_files() -> None:
    options = {option.partition("=")[0] for option in ANSWERS["_options"]}
    chosen = [f"{option}={choice}" for option in options for choice in ANSWERS[option][1:]]
    assert {*chosen} == {*ANSWERS["_options"]} >= {*ANSWERS["_requirements"]}


def test_use_cases_name_parts_that_exist() -> None:
    named = {part for row in ROWS.values() for part in row["parts"]}
    assert named == ANSWERS["_parts"].keys()


@pytest.mark.parametrize("name", ROWS)
def test_row_is_true_of_the_code(name: str) -> None:
    row, task = ROWS[name], import_module(f"project_package.{name}.task")
    history = getattr(task, "HISTORY", None)
    assert row["retention"] == (f"{retention(history).days} days" if history else "")
    assert row["labels"] == (history is not None and history.label is not None)
    served = {requirement.partition(">")[0] for requirement in row["serving"]}
    others = {"redis", "pypdf", "python-docx"}  # of the event store, and of documents in requests
    assert served - others == {*training_of(name).libraries}


def training_of(name: str) -> Training:
    """Return the training of a use case, with the parameters of its tests."""
    module, folder = import_module(f"project_package.{name}.training"), PROGRAM / "tests" / name
    training: Training = module.make_training(
        read_params(module.PARAMS, folder / "tiny.toml"), folder
    )
    return training
