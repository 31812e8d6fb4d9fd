"""The questions, and every answer that is refused before anything is written."""

from pathlib import Path

import pytest
from conftest import ANSWERS, PROGRAM, TEMPLATE, Bake
from cookiecutter.exceptions import FailedHookException
from cookiecutter.generate import generate_context
from cookiecutter.prompt import prompt_for_config

ROWS = ANSWERS["_use_cases"]
QUESTIONS = [name for name in ANSWERS if not name.startswith("_")]

REFUSED = [
    ("project_name", "", "is empty"),
    ("project_name", "   ", "is empty"),
    ("project_name", 'The "best" one', "a quote"),
    ("author", "", "is empty"),
    ("author", "Ada \\ Grace", "a backslash"),
    ("description", "", "is empty"),
    ("description", "one\ntwo", "a line break"),
    ("description", '"""', "a quote"),
    ("project_slug", "card fraud", "single hyphens"),
    ("project_slug", "Card-Fraud", "single hyphens"),
    ("project_slug", "card_fraud", "single hyphens"),
    ("project_slug", "card--fraud", "single hyphens"),
    ("project_slug", "-card", "single hyphens"),
    ("project_slug", "card:fraud", "single hyphens"),
    ("project_slug", "carte-bancaire-é", "single hyphens"),
    ("project_slug", "../card", "single hyphens"),
    ("project_slug", "scikit-learn", "the name of a library"),
    ("package_name", "card-fraud", "after a letter"),
    ("package_name", "3d_parts", "after a letter"),
    ("package_name", "_private", "after a letter"),
    ("package_name", "CardFraud", "after a letter"),
    ("package_name", "f", "after a letter"),
    ("package_name", "prüfung", "after a letter"),
    ("package_name", "x" * 33, "33 characters"),
    ("package_name", "class", "the Python language"),
    ("package_name", "match", "the Python language"),
    ("package_name", "type", "the Python language"),
    ("package_name", "json", "standard library"),
    ("package_name", "antigravity", "standard library"),
    ("package_name", "polars", "hides a library"),
    ("package_name", "mlflow", "hides a library"),
    ("package_name", "sklearn", "hides a library"),
    ("package_name", "tests", "the project itself"),
    ("package_name", "project_package", "the project itself"),
    ("python_version", "3.10", "not supported"),
    ("python_version", "3.14", "not supported"),
    ("python_version", "3", "not supported"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case[0]}={case[1]!r}")
def test_bad_answer_is_refused_in_one_sentence(
    case: tuple[str, str, str], bake: Bake, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    question, answer, reason = case
    good = {"project_slug": "good-slug", "package_name": "good_package", "project_name": "Good"}
    with pytest.raises(FailedHookException):
        bake(**{**good, question: answer})
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith(question)]
    assert len(said) == 1
    assert reason in said[0]
    assert said[0].endswith(".")
    assert not list(tmp_path.iterdir())


def test_every_bad_answer_is_named_at_once(bake: Bake, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FailedHookException):
        bake(author="", package_name="class", python_version="2.7")
    said = capfd.readouterr().err
    assert all(name in said for name in ("author", "package_name", "python_version"))


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_supported_python_is_taken(version: str, bake: Bake) -> None:
    assert (bake(python_version=version) / ".python-version").read_text().strip() == version


def test_name_of_any_script_gives_good_answers(bake: Bake) -> None:
    project = bake(project_name="Betrug bei Kartenzahlungen in Österreich und anderswo, 2. Versuch")
    assert project.name == "betrug-bei-kartenzahlungen-in-osterreich-und-anderswo-2-versuch"
    assert (project / "src" / "betrug_bei_kartenzahlungen_in_os").is_dir()


def test_every_question_has_a_prompt_and_nothing_private_is_asked() -> None:
    assert list(ANSWERS["__prompts__"]) == QUESTIONS


def test_each_use_case_is_offered_with_what_it_teaches() -> None:
    labels = {name: f"{row['title']}: {row['teaches']}" for name, row in ROWS.items()}
    offered = ANSWERS["__prompts__"]["use_case"]
    assert offered == {"__prompt__": offered["__prompt__"], **labels}


def test_no_input_gives_an_answer_to_every_question() -> None:
    context = generate_context(str(TEMPLATE / "cookiecutter.json"))
    answers = prompt_for_config(context, no_input=True)
    assert all(answers[name] for name in QUESTIONS)


def test_each_use_case_is_a_row_a_choice_and_a_folder() -> None:
    assert ANSWERS["use_case"] == list(ROWS)
    keys = {"title", "teaches", "requirements", "serving", "modules"}
    assert all(set(row) == keys for row in ROWS.values())
    package = PROGRAM / "src" / "project_package"
    folders = {path.name for path in package.iterdir() if path.is_dir()}
    assert folders - {"__pycache__", "lifecycle", "serving"} == set(ROWS)
