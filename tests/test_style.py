"""What ruff does not check: private parts of other libraries, patches, long files, and words."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from conftest import PROGRAM, TEMPLATE

FOLDERS = (TEMPLATE / "hooks", TEMPLATE / "tests", TEMPLATE / "benchmarks", PROGRAM)
MODULES = [path for folder in FOLDERS for path in sorted(folder.rglob("*.py"))]
LONGEST = 250  # lines of a file
GIVE_OR_TELL = re.compile(r"\s*(Give|Tell)s?\b")
PATCHES = {"setattr", "delattr", "patch"}
"""Functions that set attributes by name: `setattr`, `monkeypatch.setattr`, `mock.patch`."""
COINED = {
    *("crown", "crowned", "crowns", "follower", "keeper", "outbox", "papers", "remember"),
    *("remembered", "remembers", "stretch", "stretches", "told"),
}
"""Words that standard terms replaced: promote, model loader, event store, prediction log, ..."""


def name_of(path: Path) -> str:
    """Return a readable name of a file."""
    return str(path.relative_to(TEMPLATE)).replace(PROGRAM.name, "program")


def is_private(name: str) -> bool:
    """Return whether a name is private: no dunder, and not the documented `os._exit`."""
    return name.startswith("_") and not name.endswith("__") and name not in ("_", "_exit")


def defined(tree: ast.Module) -> set[str]:
    """Return the names that a module defines, attributes of `self` included."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
    return names


def imported(tree: ast.Module) -> dict[str, str]:
    """Return the names that imports bind, each with the module that it comes from."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name.split(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names |= {alias.asname or alias.name: module for alias in node.names}
    return names


def root(node: ast.expr) -> str:
    """Return the first name of a dotted expression such as `a.b.c`; empty if there is none."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def private_uses(tree: ast.Module) -> Iterator[str]:
    """Yield private names that a module uses and does not define."""
    ours = defined(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in ours:
            yield f"line {node.lineno}: .{node.attr}"
        elif isinstance(node, ast.ImportFrom | ast.Import):
            parts = [part for alias in node.names for part in alias.name.split(".")]
            parts += (node.module or "").split(".") if isinstance(node, ast.ImportFrom) else []
            yield from (f"line {node.lineno}: import {part}" for part in parts if is_private(part))


def patches(tree: ast.Module, owner: str = "") -> Iterator[str]:
    """Yield where a module sets attributes of what it imports from a package; any, if empty."""
    names = {name for name, module in imported(tree).items() if module.startswith(owner)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            if root(node) in names:
                yield f"line {node.lineno}: {ast.unparse(node)} ="
        elif isinstance(node, ast.Call) and node.args:
            function, target = node.func, node.args[0]
            name = function.attr if isinstance(function, ast.Attribute) else root(function)
            path = target.value if isinstance(target, ast.Constant) else None
            by_path = isinstance(path, str) and path.startswith(owner) and "." in path
            if name in PATCHES and (by_path or root(target) in names):
                yield f"line {node.lineno}: {ast.unparse(node)}"


def docstrings(tree: ast.Module) -> Iterator[str]:
    """Yield every docstring, and every string that documents a field."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield text


def words(text: str) -> set[str]:
    """Return the words of a text in lower case; snake_case and CamelCase are split."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", text)}


def report(problems: Iterable[str]) -> None:
    """Fail with every problem on a line of its own."""
    lines = sorted(problems)
    assert not lines, "\n".join(lines)


def test_no_module_uses_private_names_of_others() -> None:
    trees = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}
    report(f"{name}: {use}" for name, tree in trees.items() for use in private_uses(tree))


def test_nothing_is_patched_but_libraries_to_inject_faults() -> None:
    problems = []
    for path in MODULES:
        owner = "project_package" if path.is_relative_to(PROGRAM / "tests") else ""
        found = patches(ast.parse(path.read_text(encoding="utf-8")), owner)
        problems += [f"{name_of(path)}: {patch}" for patch in found]
    report(problems)


def test_no_file_is_too_long() -> None:
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    report(f"{name}: {length} lines" for name, length in lengths.items() if length > LONGEST)


def test_docstrings_do_not_start_with_give_or_tell() -> None:
    trees = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}
    texts = ((name, text) for name, tree in trees.items() for text in docstrings(tree))
    report(f"{name}: {text}" for name, text in texts if GIVE_OR_TELL.match(text))


def test_coined_words_do_not_come_back() -> None:
    files = {*MODULES, *TEMPLATE.glob("*.md"), *PROGRAM.rglob("*.md")} - {Path(__file__).resolve()}
    found = {name_of(path): COINED & words(path.read_text(encoding="utf-8")) for path in files}
    report(f"{name}: {', '.join(sorted(coined))}" for name, coined in found.items() if coined)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import starlette\nstarlette._utils.f()", "line 2: ._utils"),
        ("class A:\n    def f(self): self._b()", "line 2: ._b"),
        ("from uvicorn import _types", "line 1: import _types"),
        ("import uvicorn\nuvicorn.config.LOOPS = {}", "line 2: uvicorn.config.LOOPS ="),
        ("import a\nb.setattr(a, 'c', int)", "line 2: b.setattr(a, 'c', int)"),
        ("b.setattr('a.c', int)", "line 1: b.setattr('a.c', int)"),
    ],
)
def test_private_parts_and_patches_are_found(source: str, found: str) -> None:
    tree = ast.parse(source)
    assert [*private_uses(tree), *patches(tree)] == [found]


def test_private_parts_of_our_own_module_are_allowed() -> None:
    tree = ast.parse("class A:\n    def f(self, other):\n        self._a = other._a")
    assert [*private_uses(tree), *patches(tree)] == []
