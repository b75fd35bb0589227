"""The project around the code: what is packed, what is pinned, what may import what."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]

# PyTorch's builds for graphics cards need these, each build its own; nothing here uses them.
ACCELERATOR_PREFIXES = ("nvidia-", "cuda-", "triton")


def pins() -> dict[str, str]:
    """Pinned version by canonical name, from constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    entries = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in entries}


def requirements_of(package: str, extras: frozenset[str]) -> list[Requirement]:
    found = [Requirement(text) for text in metadata.requires(package) or []]
    contexts = [{"extra": extra} for extra in extras | {""}]
    return [one for one in found if not one.marker or any(one.marker.evaluate(c) for c in contexts)]


def needed() -> list[Requirement]:
    """Everything that the package, its tools and its build need, and all that those need."""
    pending = [
        Requirement("backprop-tui[dev]"),
        *map(Requirement, PROJECT["optional-dependencies"]["bench"]),
        *map(Requirement, PYPROJECT["build-system"]["requires"]),
    ]
    seen: dict[str, Requirement] = {}
    while pending:
        one = pending.pop()
        if str(one) in seen or one.name.startswith(ACCELERATOR_PREFIXES):
            continue
        seen[str(one)] = one
        try:
            pending += requirements_of(one.name, frozenset(one.extras))
        except metadata.PackageNotFoundError:
            continue  # the extra `bench` is installed by `make bench` only
    return [one for one in seen.values() if one.name != "backprop-tui"]


def test_every_dependency_is_pinned_to_a_version_that_satisfies_it() -> None:
    pinned = pins()
    requirements = needed()
    assert len(requirements) > len(PROJECT["dependencies"])
    for requirement in requirements:
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is missing from constraints.txt"
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{requirement} is not met by {version}"
        )


def test_the_version_is_written_in_pyproject_alone() -> None:
    written = [
        path.relative_to(ROOT)
        for source in ("engine", "tui")
        for path in (ROOT / source).rglob("*.py")
        if f'"{PROJECT["version"]}"' in path.read_text(encoding="utf-8")
    ]
    assert written == []
    printed = subprocess.run(
        [sys.executable, "-m", "backprop_tui", "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.split() == ["backprop-tui", metadata.version("backprop-tui")]


def test_the_changelog_has_an_entry_for_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(PROJECT['version'])}\]", changelog, re.MULTILINE)


def test_there_are_five_folders_and_no_clutter_beside_them() -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [Path(line) for line in listed.stdout.splitlines()]
    assert {path.parts[0] for path in paths if len(path.parts) > 1 and path.parts[0][0] != "."} == {
        "docs",
        "engine",
        "tui",
        "tests",
        "scenarios",
    }
    assert {path.name for path in paths if len(path.parts) == 1} == {
        ".gitignore",
        ".pre-commit-hooks.yaml",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "constraints.txt",
        "pyproject.toml",
    }


def make(*arguments: str) -> str:
    """What make would do."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "--dry-run", *arguments],
        cwd=ROOT,
        env=outside,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("file", ["pyproject.toml", "constraints.txt"])
def test_make_installs_again_when_what_is_needed_has_changed(file: str) -> None:
    assert "pip install" in make("--what-if", file, "run")


def test_make_run_opens_the_basic_scenario_or_the_one_named() -> None:
    assert make("run").splitlines()[-1].endswith("backprop_tui scenarios/basic.yaml")
    named = make("run", "SCENARIO=scenarios/cube.yaml")
    assert named.splitlines()[-1].endswith("backprop_tui scenarios/cube.yaml")


IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
package = importlib.import_module({package!r})
names = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    importlib.import_module(name)
print(len(names), *sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


def modules_loaded_by(code: str) -> list[str]:
    """What a fresh interpreter prints after running `code`, word by word."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


def test_the_engine_imports_neither_the_screen_nor_an_oracle() -> None:
    count, *loaded = modules_loaded_by(IMPORT_EVERYTHING.format(package="backprop_engine"))
    assert int(count) > 10
    assert "numpy" in loaded
    assert not {"backprop_tui", "textual", "rich", "torch", "sympy"} & set(loaded)


@pytest.mark.parametrize(
    "module", ["backprop_tui.app.app", "backprop_tui.cli", "backprop_tui.__main__"]
)
def test_the_program_starts_without_importing_an_oracle(module: str) -> None:
    loaded = modules_loaded_by(f"import {module}, sys; print(*sys.modules)")
    assert module in loaded
    assert not {"torch", "sympy"} & set(loaded)


def test_to_import_the_package_imports_nothing_slow() -> None:
    loaded = modules_loaded_by("import backprop_tui, sys; print(*sys.modules)")
    assert "backprop_tui" in loaded
    assert not {"numpy", "torch", "textual", "backprop_engine", "backprop_recorder"} & set(loaded)


def test_the_command_line_starts_without_importing_the_screen() -> None:
    loaded = modules_loaded_by("import backprop_tui.__main__, sys; print(*sys.modules)")
    assert not {"textual", "rich"} & set(loaded)
