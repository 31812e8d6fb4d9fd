"""Every public name of a project's source is used in the source."""

import ast
import re
from collections.abc import Iterator

import pytest
from conftest import USE_CASES, Bake

OFFERED = {
    "Money",  # a field for raw columns, beside those of the use case
    "Moment",
    "columns_of",  # the columns that to_rows makes
    "parse_time",  # a step of Moment, and of the times of an own table
    "GRAPH",  # the use case that tests bring along has a model of this kind
    "OnnxModel",
    "dynamic_int8",  # int8.py is of one piece
    "static_int8",
    "weighted_mean",  # for metrics
}
OFFERING = {"binary_metrics.py", "explain.py", "plot_parts.py", "thresholds.py"}
"""Modules from which each use case takes what it needs."""


def public_names(tree: ast.Module) -> Iterator[str]:
    """Yield the functions, classes and constants of a module, but not routes and commands."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name):
                yield name
            case ast.FunctionDef(name=name, decorator_list=[]):
                yield name
            case ast.AsyncFunctionDef(name=name, decorator_list=[]):
                yield name
            case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
                yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))


def used_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module reads, and those of commands such as "module:function"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.name
        elif isinstance(node, ast.Constant) and re.fullmatch(r"[\w.]+:\w+", str(node.value)):
            yield str(node.value).partition(":")[2]


@pytest.mark.parametrize("use_case", USE_CASES)
def test_public_names_are_used(use_case: str, bake: Bake) -> None:
    source = bake(use_case=use_case) / "src"
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in source.rglob("*.py")}
    checked = [tree for path, tree in trees.items() if path.name not in OFFERING]
    public = {name for tree in checked for name in public_names(tree) if not name.startswith("_")}
    used = {name for tree in trees.values() for name in used_names(tree)}
    assert public - used - OFFERED == set()
