"""The questions, and the answers that are refused before anything is written."""

import re
from importlib import import_module
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
    ("package_name", "class", "of Python"),
    ("package_name", "match", "of Python"),
    ("package_name", "type", "of Python"),
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
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith(question)]
    assert len(errors) == 1
    assert reason in errors[0]
    assert errors[0].endswith(".")
    assert not list(tmp_path.iterdir())


def test_all_bad_answers_are_reported_at_once(
    bake: Bake, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FailedHookException):
        bake(author="", package_name="class", python_version="2.7")
    errors = capfd.readouterr().err
    assert all(name in errors for name in ("author", "package_name", "python_version"))


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_supported_python_is_accepted(version: str, bake: Bake) -> None:
    assert (bake(python_version=version) / ".python-version").read_text().strip() == version


def test_project_name_in_any_language_is_accepted(bake: Bake) -> None:
    project = bake(project_name="Betrug bei Kartenzahlungen in Österreich und anderswo, 2. Versuch")
    assert project.name == "betrug-bei-kartenzahlungen-in-osterreich-und-anderswo-2-versuch"
    assert (project / "src" / "betrug_bei_kartenzahlungen_in_os").is_dir()


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
    assert {path.parent.name for path in package.glob("*/task.py")} == set(ROWS)


def test_modules_of_each_use_case_exist() -> None:
    package = PROGRAM / "src" / "project_package"
    modules = {module for row in ROWS.values() for module in row["modules"]}
    for module in map(Path, modules):
        test = PROGRAM / "tests" / module.with_name(f"test_{module.name}.py")
        code = [folder / module for folder in (package, PROGRAM / "tests")]
        paths = [test, *code, *(path.with_suffix(".py") for path in code)]
        assert any(path.exists() for path in paths), module


@pytest.mark.parametrize("name", ROWS)
def test_row_is_true_of_the_code(name: str) -> None:
    row, task = ROWS[name], import_module(f"project_package.{name}.task")
    assert row["retention"] == f"{task.HISTORY.retention.days} days"
    assert row["labels"] == (task.HISTORY.label is not None)


def test_package_cannot_hide_a_module_of_the_tests() -> None:
    hook = (TEMPLATE / "hooks" / "pre_gen_project.py").read_text()
    names = {path.stem for path in (PROGRAM / "tests").iterdir() if "test_" not in path.name}
    assert names - set(ROWS) <= set(re.findall(r"\w+", hook))
