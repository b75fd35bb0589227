"""A learner's file that is part of a package is run as that part, and not as a file alone.

Standard library alone: this runs in the process that runs the learner's file.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

_FARTHEST = 6
"""Folders above a file among which its package is looked for."""


class Package(Loader):
    """The folders that make up a file's package, the outermost first, and the file in there."""

    def __init__(
        self, path: str, run: Callable[[ModuleType], None], folders: Sequence[Path]
    ) -> None:
        self.folders = tuple(folders)
        self.root = folders[0].parent
        names = [folder.name for folder in folders]
        if not all(map(str.isidentifier, names)) or names[0] in sys.stdlib_module_names:
            names = [f"package{at}" for at in range(len(names))]
        self._packages = {
            ".".join(names[: at + 1]): folder for at, folder in enumerate(self.folders)
        }
        self._name = ".".join([*names, Path(path).stem])
        self._path, self._run = path, run
        self._is_bare = False

    def run(self) -> ModuleType:
        """Import the file, after the packages around it, or without what these do where they fail.

        Whatever the file raises goes up, a package that is not installed as well.
        """
        sys.meta_path.insert(0, self)
        try:
            return self._imported()
        except ImportError as error:
            if isinstance(error, ModuleNotFoundError) and not self._is_own(error.name or ""):
                raise
            self._is_bare = True
            return self._imported()
        finally:
            sys.meta_path.remove(self)

    def _imported(self) -> ModuleType:
        for name in [each for each in sys.modules if self._is_own(each)]:
            del sys.modules[name]
        return importlib.import_module(self._name)

    def _is_own(self, name: str) -> bool:
        return name.partition(".")[0] == self._name.partition(".")[0]

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """The file by its name, and packages without an `__init__`; the rest Python finds."""
        if name == self._name:
            return importlib.util.spec_from_loader(name, self, origin=self._path)
        folder = self._packages.get(name)
        if folder is None:
            return None
        if (folder / "__init__.py").exists() and not self._is_bare:
            return importlib.util.spec_from_file_location(
                name, folder / "__init__.py", submodule_search_locations=[str(folder)]
            )
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Python makes it."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the file."""
        self._run(module)


def package_of(path: str, tree: ast.Module, run: Callable[[ModuleType], None]) -> Package | None:
    """The package that the imports of a file are of; None where it is a file alone.

    `run` runs the file in the module that it is to become.
    """
    above = list(Path(path).resolve().parents)[:_FARTHEST]
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    level = max((node.level for node in imports if isinstance(node, ast.ImportFrom)), default=0)
    own = [
        at
        for at, folder in enumerate(above)
        if any(_is_in(name, folder) for name in _absolute(imports))
    ]
    depth = max(level, *(at + 1 for at in own), 0)
    if not depth:
        return None
    while depth < len(above) and (above[depth] / "__init__.py").exists():
        depth += 1
    return Package(path, run, above[:depth][::-1])


def _absolute(imports: Sequence[ast.Import | ast.ImportFrom]) -> Iterator[list[str]]:
    """The parts of the names that are imported, such as `a.b` and, of `from a import b`, too."""
    for node in imports:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif not node.level and node.module:
            yield from ([*node.module.split("."), alias.name] for alias in node.names)


def _is_in(name: Sequence[str], folder: Path) -> bool:
    """Whether a name that is imported is of a package in this folder."""
    if name[0] != folder.name or name[0] in sys.stdlib_module_names:
        return False
    part = folder / name[1] if len(name) > 1 else folder / "__init__.py"
    return part.exists() or part.with_suffix(".py").exists() or (folder / "__init__.py").exists()
