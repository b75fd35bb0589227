"""Textual is used by its public names; where that cannot be, one file has the reasons."""

from __future__ import annotations

import ast
import importlib
import inspect
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import backprop_tui

ROOT = Path(backprop_tui.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__main__.py")
WITH_REASONS = ROOT / "app" / "terminal.py"


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def module_of(path: Path) -> ModuleType:
    name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    return importlib.import_module(name.removesuffix(".__init__"))


@cache
def kept_private(kind: type) -> frozenset[str]:
    """The private names that a class of Textual's has or gives to its instances."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(kind)))
    on_self = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    return frozenset(filter(is_private, on_self | set(vars(kind))))


def given(tree: ast.AST) -> set[str]:
    """The names that a piece of our program defines."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
    return found


@cache
def ours() -> set[str]:
    """The names that any of our files defines."""
    return set().union(*(given(ast.parse(path.read_text(encoding="utf-8"))) for path in FILES))


def private_uses(path: Path) -> list[str]:
    """Where a file takes a private name from Textual, or gives one that Textual has already."""
    text = path.read_text(encoding="utf-8")
    tree, found = ast.parse(text if "textual" in text else ""), list[str]()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.startswith("textual"):
                parts = [*module.split("."), *(alias.name for alias in names)]
                found += [f"{node.lineno}: {part}" for part in parts if is_private(part)]
            case ast.Attribute(attr=name) if is_private(name) and name not in ours():
                found.append(f"{node.lineno}: {name}")
    for kind in vars(module_of(path)).values():
        if not isinstance(kind, type) or kind.__module__ != module_of(path).__name__:
            continue
        theirs: set[str] = set()
        for base in kind.__mro__:
            if base.__module__.startswith("textual"):
                theirs |= kept_private(base)
        body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(kind)))
        used = {node.attr for node in ast.walk(body) if isinstance(node, ast.Attribute)}
        used |= given(body)
        found += [f"{kind.__name__}: {name}" for name in sorted(used & theirs)]
    return found


@pytest.mark.parametrize(
    "path", [path for path in FILES if path != WITH_REASONS], ids=lambda p: str(p.relative_to(ROOT))
)
def test_no_file_takes_a_private_name_of_textuals(path: Path) -> None:
    assert private_uses(path) == []


def test_the_one_file_that_has_to_is_found_to() -> None:
    assert "TerminalDriver: _auto_restart" in private_uses(WITH_REASONS)
    assert any("_xterm_parser" in use for use in private_uses(WITH_REASONS))
