"""Names that are derived from the project's name are valid, and texts arrive unchanged."""

import html
import json
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import ANSWERS, TEMPLATE, USE_CASES, Bake, cookiecutter_command
from cookiecutter.generate import generate_context
from cookiecutter.prompt import prompt_for_config
from hypothesis import given, settings
from hypothesis import strategies as st

RESERVED = ANSWERS["_reserved"].split()
ROWS = ANSWERS["_use_cases"]


def answers_to(**answers: str) -> dict[str, Any]:
    """Return all answers when some are given and the others are the defaults."""
    context = generate_context(str(TEMPLATE / "cookiecutter.json"), extra_context=answers)
    return dict(prompt_for_config(context, no_input=True))


@pytest.fixture(scope="session")
def hook(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the functions of the hook that refuses answers."""
    source = (TEMPLATE / "hooks" / "pre_gen_project.py").read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("hook") / "hook.py"
    path.write_text(source.replace("{{ cookiecutter | tojson }}", json.dumps(answers_to())))
    return runpy.run_path(str(path))


@pytest.mark.parametrize(
    ("name", "slug", "package"),
    [
        ("Churn", "churn", "churn"),
        ("3D parts", "3d-parts", "project_3d_parts"),
        ("Class", "project-class", "project_class"),
        ("json", "project-json", "project_json"),
        ("Tests", "project-tests", "project_tests"),
        ("scikit-learn", "project-scikit-learn", "project_scikit_learn"),
        ("Fraud", "fraud", "project_fraud"),
        ("X", "x", "project_x"),
        ("  Blanks  around ", "blanks-around", "blanks_around"),
        ("欺诈检测", "qi-zha-jian-ce", "qi_zha_jian_ce"),
        ("Обнаружение", "obnaruzhenie", "obnaruzhenie"),
        ("🚀", "project", "project"),
        ("word " * 100, "-".join(["word"] * 13), "word_word_word_word_word_word_wo"),
        ("w" * 300, "w" * 64, "w" * 32),
    ],
)
def test_good_project_name_gives_good_names(name: str, slug: str, package: str) -> None:
    answers = answers_to(project_name=name)
    assert (answers["project_slug"], answers["package_name"]) == (slug, package)


def test_project_name_in_any_language_is_accepted(bake: Bake) -> None:
    project = bake(project_name="Betrug bei Kartenzahlungen in Österreich und anderswo, 2. Versuch")
    assert project.name == "betrug-bei-kartenzahlungen-in-osterreich-und-anderswo-2-versuch"
    assert (project / "src" / "betrug_bei_kartenzahlungen_in_os").is_dir()


@settings(deadline=None)
@given(
    name=st.text(st.characters(codec="utf-8", exclude_characters="{"), min_size=1)
    | st.sampled_from([*RESERVED, *ROWS]).map(lambda name: name.replace("_", " ").title()),
    use_case=st.sampled_from([*ROWS]),
)
def test_derived_names_are_never_refused(hook: dict[str, Any], name: str, use_case: str) -> None:
    answers = answers_to(project_name=name, use_case=use_case)
    assert not [*hook["wrong_slug"](answers["project_slug"], is_deployed=False)]
    assert not [*hook["wrong_package"](answers["package_name"], {*ROWS} - {use_case})]


@pytest.mark.parametrize("slug", ["fraud", "demand", "3d", "x", "a-" * 20 + "b"])
def test_derived_package_of_any_slug_is_accepted(hook: dict[str, Any], slug: str) -> None:
    package = answers_to(project_slug=slug)["package_name"]
    assert not [*hook["wrong_package"](package, {"demand", "segments"})]


TEXTS = [
    "Scores card payments.",
    "Does it score?",
    "  Blanks around  ",
    "project_package of the project_package team",
    "project_package",
    "{safe} and } or { and {}",
    "It's <fast> & 100 % of O'Neill's cards",
]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_survive(text: str, bake: Bake) -> None:
    project = bake(description=text, author=text, project_name=text, package_name="cards")
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert metadata["description"] == metadata["authors"][0]["name"] == text.strip()
    lines = html.unescape((project / "README.md").read_text().replace("\\", "")).splitlines()
    assert lines[0] == f"# {text.strip()}"
    assert lines[2] == f"> {text.strip()}{'' if text.strip()[-1] in '.!?' else '.'}"
    assert lines[4].startswith("The project trains")
    assert f" {text.strip()}\n" in (project / "LICENSE").read_text()
    assert (project / "src" / "cards").is_dir()
    assert metadata["scripts"]["ml"] == f"cards.{USE_CASES[0]}.entry_point:main"


@pytest.mark.parametrize(
    ("name", "author"),
    [
        ("Churn!", "Nam Fo"),  # codespell:ignore
        ("# hash", "ada@example.com"),
        ("<b>", "Ada <ada@example.com>"),
        ("https://example.com/churn", "https://example.com"),
        ("[teh](x) *best*  `one`", "Teh Best"),  # codespell:ignore
        ("=== Churn ===", "*** Ada ***"),
        ("Nd", "The ser team"),  # codespell:ignore
    ],
)
def test_any_accepted_answer_passes_the_checks_of_texts(name: str, author: str, bake: Bake) -> None:
    project = bake(project_name=name, description=f"Finds {name}", author=author)
    makefile = (project / "Makefile").read_text()
    for tool in ("codespell", "rumdl"):
        (command,) = re.findall(rf"^\tuv run ({tool} (?!check --fix).*)$", makefile, re.MULTILINE)
        program, *arguments = command.split()
        paths = [path for a in arguments for path in (sorted(project.glob(a)) if "*" in a else [a])]
        run = [Path(sys.executable).with_name(program), *paths]
        done = subprocess.run(run, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_jinja_that_is_typed_survives(tmp_path: Path) -> None:
    text = "{{ cookiecutter.nothing }} {% if %} {# x #}"
    typed = ["", "Cards", "", "", text, text, *[""] * 6]
    done = cookiecutter_command("-o", str(tmp_path), str(TEMPLATE), typed="\n".join(typed))
    assert done.returncode == 0, done.stdout
    metadata = tomllib.loads((tmp_path / "cards" / "pyproject.toml").read_text())["project"]
    assert metadata["description"] == metadata["authors"][0]["name"] == text
