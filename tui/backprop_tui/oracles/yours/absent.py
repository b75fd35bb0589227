"""What a learner's file imports to draw, and is not installed here: something stands in for it.

Standard library alone: this runs in the process that runs the learner's file. A file that does not
need the package to compute is judged all the same; where it does, the package's name is told.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Absent(Loader):
    """Stands for packages that are not there, once they are named."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def add(self, name: str) -> None:
        """A package is not there: let what is imported of it be a stand-in from now on."""
        if not self.names:
            sys.meta_path.append(self)
        self.names.append(name)

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Whatever belongs to such a package."""
        if name.partition(".")[0] not in self.names:
            return None
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """A module that has whatever it is asked for."""
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Thing(self.__name__)


class _Thing:
    """A function or a class of such a package, of no use."""

    def __init__(self, package: str) -> None:
        self.__package = package.partition(".")[0]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Thing(self.__package)

    def __getitem__(self, _: object) -> Any:
        return self

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        """What is derived of it is derived of nothing."""
        return ()

    def __call__(self, *_: object, **__: object) -> Any:
        raise ModuleNotFoundError(f"No module named '{self.__package}'", name=self.__package)
