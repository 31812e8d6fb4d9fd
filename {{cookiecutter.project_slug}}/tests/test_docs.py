"""The notebook runs, and the papers tell the truth: tree, links, files and settings they name."""

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

import project_package
from project_package.settings import Settings

PROJECT = Path(__file__).parent.parent
PACKAGE = Path(project_package.__path__[0])
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
PAPERS = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
ENTRY = re.compile(r"^((?:│   )*)[├└]── (\S+) +(\S.*)$", re.MULTILINE)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> NotebookNode:
    read: NotebookNode = nbformat.read(request.param, as_version=4)  # type: ignore[no-untyped-call]
    return read


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


def listed(readme: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the comment of each entry of the tree."""
    folders: list[str] = []
    for indent, name, comment in ENTRY.findall(readme):
        folders[len(indent) // 4 :] = [name.rstrip("/")]
        yield "/".join(folders), comment


def test_tree_names_every_file_of_the_package_and_no_other() -> None:
    tree = [path for path, _ in listed((PROJECT / "README.md").read_text(encoding="utf-8"))]
    found = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*")}
    kept = {path for path in found if "__pycache__" not in path.parts}
    assert len(tree) == len(set(tree))
    assert set(tree) == {path.as_posix() for path in kept if path.name != "__init__.py"}


def test_no_two_files_have_the_same_comment() -> None:
    tree = listed((PROJECT / "README.md").read_text(encoding="utf-8"))
    files = {(path.rpartition("/")[2], comment) for path, comment in tree}  # of any use case
    assert len(files) == len({comment for _, comment in files})


def exists(path: Path) -> bool:
    """Tell; in the template, the file may have the name of its use case in it."""
    return path.exists() or any(path.parent.glob(f"{path.stem}.*{path.suffix}"))


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_links_lead_somewhere(paper: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", paper.read_text(encoding="utf-8")):
        assert "://" in link or exists(paper.parent / link), link


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_files_that_are_named_exist(paper: Path) -> None:
    for name in re.findall(r"`([\w./-]+\.(?:py|yml|ipynb))`", paper.read_text(encoding="utf-8")):
        assert exists(PROJECT / name) or exists(PACKAGE / name), name


def test_settings_that_are_named_are_those_of_the_program() -> None:
    known = {name.upper() for name in Settings.model_fields}
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    given = set(re.findall(r"^# ([A-Z_]+)=", example, re.MULTILINE))
    assert given == {name for name in known if name.partition("_")[0] not in {"AIP", "WORKER"}}
    papers = "".join(paper.read_text(encoding="utf-8") for paper in PAPERS)
    assert set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)", papers)) <= known
