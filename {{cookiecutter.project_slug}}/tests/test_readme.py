"""The papers agree with the files: the tree names each one, and no link leads nowhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import project_package

PROJECT = Path(__file__).parent.parent
PACKAGE = Path(project_package.__path__[0])
PAPERS = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
ENTRY = re.compile(r"^((?:│   )*)[├└]── (\S+) +(\S.*)$", re.MULTILINE)


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
    comments = [text for _, text in listed((PROJECT / "README.md").read_text(encoding="utf-8"))]
    assert len(comments) == len(set(comments))


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_links_lead_somewhere(paper: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", paper.read_text(encoding="utf-8")):
        target = paper.parent / link
        # In the template, data-card.md has the name of its use case in it.
        named = list(target.parent.glob(f"{target.stem}.*{target.suffix}"))
        assert "://" in link or target.exists() or named, f"{paper.name}: {link}"
