"""Own tables become served models without a Python file: schema, pipeline, serve, request."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from conftest import TEMPLATE, bake_from
from demo import get, running_python, serving
from test_project import run

ROWS = 600
Table = tuple[str, list[str], dict[str, object], str]
"""CSV, the options of `ml schema`, a request, and the field of the answer that has the target."""


def customers(random: Random) -> Table:
    """Return two classes, with categories, missing values, dates and an id."""
    lines = ["customer id,class,since,bill,churned"]
    for number in range(ROWS):
        year, bill = random.randint(2015, 2025), random.randint(500, 9900) / 100
        leaves = random.random() < (0.8 if bill > 60 and year > 2020 else 0.1)
        shown = "" if number % 9 == 0 else bill
        kind = random.choice(["basic", "plus", "pro"])
        lines.append(f"C-{number},{kind},{year}-03-01,{shown},{'yes' if leaves else 'no'}")
    request = {"class": "never seen", "since": "2024-05-01", "bill": None, "customer id": "C-9"}
    return "\n".join(lines), ["--target", "churned"], {**request}, "probabilities"


def houses(random: Random) -> Table:
    """Return prices as a spreadsheet writes them: semicolons, decimal commas, German dates."""
    lines = ["\ufeffFläche;Ort;Baujahr;verkauft am;Preis"]
    for _ in range(ROWS):
        area, town = random.randint(400, 2000) / 10, random.choice(["Köln", "Bonn", "Trier"])
        price = area * (4000 if town == "Köln" else 2500) * random.uniform(0.8, 1.2)
        date = f"{random.randint(1, 28):02}.{random.randint(1, 12):02}.{random.randint(2018, 2025)}"
        area_text, price_text = (f"{value:.2f}".replace(".", ",") for value in (area, price))
        year = random.randint(1900, 2020)
        lines.append(f"{area_text};{town};{year};{date};{price_text}")
    request = {"Fläche": 88.5, "Ort": "Köln", "Baujahr": 1974, "verkauft am": "2026-01-31"}
    return "\n".join(lines), ["--target", "Preis", "--time", "verkauft am"], request, "low"


def flowers(random: Random) -> Table:
    """Return three classes as numbers, few rows, and a column for which rows belong together."""
    lines = ["plot_id,length,width,species"]
    for number in range(200):
        kind = number % 3 + 1
        length, width = kind + random.gauss(0, 0.4), kind * 0.5 + random.gauss(0, 0.3)
        lines.append(f"{number // 2},{length:.2f},{width:.2f},{kind}")
    options = ["--target", "species", "--group", "plot_id"]
    return "\n".join(lines), options, {"length": 2.1, "width": 1.0}, "probabilities"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Generate and install a project with default answers."""
    generated = bake_from(TEMPLATE, tmp_path, python_version=running_python())
    run(generated, "make", "install")
    return generated


@pytest.mark.parametrize("table", [customers, houses, flowers])
def test_own_table_is_served_without_editing_python(
    table: Callable[[Random], Table], project: Path
) -> None:
    text, options, request, answered = table(Random(0))  # noqa: S311
    (project / "own.csv").write_text(text, encoding="utf-8")
    pipeline = "uv", "run", "ml", "pipeline", "--set", "train.trials=1"
    if table is customers:  # after the table that comes with the project, as in the README
        run(project, *pipeline)
    run(project, "uv", "run", "ml", "schema", "own.csv", *options)
    run(project, *pipeline)
    with serving(project) as url:
        shown = get(f"{url}/openapi.json")["components"]["schemas"]["Row"]["properties"]
        found = get(f"{url}/v1/predict", {"instances": [{**request, "explain": True}]})
    assert {*request} <= {*shown}
    (answer,) = found["predictions"]
    assert {"prediction", "reasons", answered} <= {*answer}
    assert answer["reasons"], json.dumps(answer)
