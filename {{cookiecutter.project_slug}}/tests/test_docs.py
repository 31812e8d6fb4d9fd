"""The notebook runs, and the docs are true: the files, links and settings that they name exist."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

import project_package
from project_package.settings import Settings

PROJECT = Path(__file__).parent.parent
PACKAGE = Path(project_package.__path__[0])
EXAMPLE = PROJECT / ".env.example"
README = PROJECT / "README.md"
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
DOCS = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
PAGES = [*DOCS, *sorted((PROJECT / "deploy").rglob("*.md"))]
EACH_PAGE = pytest.mark.parametrize("doc", PAGES, ids=lambda doc: str(doc.relative_to(PROJECT)))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> NotebookNode:
    read: NotebookNode = nbformat.read(request.param, as_version=4)  # type: ignore[no-untyped-call]
    return read


@pytest.mark.system
def test_notebook_runs(
    notebook: NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")  # busy waiting is slow beside other tests
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    assert any(cell.get("outputs") for cell in notebook.cells)


def test_notebook_is_committed_without_outputs(notebook: NotebookNode) -> None:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [cell for cell in code if cell.outputs or cell.execution_count]


def test_readme_lists_every_module_and_folder_of_the_package() -> None:
    listed = re.findall(r"^[├└]── (\S+) ", README.read_text(encoding="utf-8"), re.MULTILINE)
    paths = [path for path in PACKAGE.iterdir() if not path.name.startswith("__")]
    use_cases = [path for path in paths if (path / "entry_point.py").exists()]
    shared = {f"{path.name}/" if path.is_dir() else path.name for path in paths}
    shared -= {f"{path.name}/" for path in use_cases}
    assert len(listed) == len(shared) + 1  # and the folder of the use case
    assert shared < set(listed)


def exists(path: Path) -> bool:
    """Return whether a file exists; in the template its name may contain that of a use case."""
    return path.exists() or any(path.parent.glob(f"{path.stem}.*{path.suffix}"))


@EACH_PAGE
def test_links_lead_somewhere(doc: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", doc.read_text(encoding="utf-8")):
        assert "://" in link or exists(doc.parent / link), link


@EACH_PAGE
def test_files_that_are_named_exist(doc: Path) -> None:
    for name in re.findall(r"`([\w./-]+\.(?:py|yml|ipynb))`", doc.read_text(encoding="utf-8")):
        assert any(exists(folder / name) for folder in (PROJECT, PACKAGE, doc.parent)), name


def test_settings_that_are_named_are_those_of_the_program() -> None:
    known = set(re.findall(r"^# ([A-Z_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))
    known |= {name.upper() for name in Settings.model_fields}
    configuration = [PROJECT / "compose.yaml", *(PROJECT / ".github").rglob("*.yml")]
    for path in configuration:
        known |= {*re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", path.read_text(encoding="utf-8"))}
    docs = "".join(doc.read_text(encoding="utf-8") for doc in DOCS)
    others = "UV_|AWS_|OTEL_|[A-Z]+_NUM_THREADS"
    assert set(re.findall(rf"`((?!{others})[A-Z]+(?:_[A-Z]+)+)", docs)) <= known
