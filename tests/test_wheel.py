"""The wheel: what it holds, and that it runs where nothing of this checkout is in reach."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "scenarios"
SCENARIOS = [path.relative_to(BUNDLE) for path in sorted(BUNDLE.rglob("*.yaml"))]
LESSONS = [path for path in SCENARIOS if path.parts[0] != "large"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `backprop-tui` command of a new environment that holds the wheel and no other package.

    The dependencies are lent from this environment by a path file: path files found there are not
    followed, so an editable install of this checkout stays out of sight.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = f"{sys.executable} -m pip --disable-pip-version-check --python {python}"
    subprocess.run(
        [*pip.split(), "install", "--no-deps", "--no-index", wheel], check=True, capture_output=True
    )
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    return folder / "bin" / "backprop-tui"


def run(command: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [command, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_holds_the_packages_the_scenarios_and_the_licence_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [Path(name) for name in archive.namelist()]
    top = {path.parts[0] for path in names}
    assert {one for one in top if not one.endswith(".dist-info")} == {
        "backprop_engine",
        "backprop_recorder",
        "backprop_tui",
    }
    bundled = Path("backprop_tui/scenarios")
    packed = sorted(path for path in names if path.is_relative_to(bundled))
    assert [path.relative_to(bundled) for path in packed] == SCENARIOS
    assert {"LICENSE", "METADATA"} <= {p.name for p in names if "dist-info" in p.parts[0]}


def test_it_holds_every_source_file_grammar_and_style_sheet(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    here = {
        path.relative_to(ROOT / source).as_posix()
        for source in ("engine", "tui")
        for path in (ROOT / source).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packages = ("backprop_engine", "backprop_recorder", "backprop_tui")
    assert {f"{package}/py.typed" for package in packages} <= here
    assert here <= packed


def test_the_installed_program_checks_its_scenarios_from_any_folder(
    installed: Path, tmp_path: Path
) -> None:
    (scenarios,) = installed.parents[1].glob("lib/python*/site-packages/backprop_tui/scenarios")
    alone = ("--no-torch", "--no-symbolic")  # the checkout's own, which are the same, have both
    lessons = [str(scenarios / path) for path in LESSONS]
    checked = run(installed, "check", "--json", *alone, *lessons, folder=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    results = [json.loads(line) for line in checked.stdout.splitlines()]
    assert [Path(result["scenario"]).relative_to(scenarios) for result in results] == LESSONS
    assert all(result["ok"] for result in results)


def test_the_installed_program_agrees_with_torch(installed: Path, tmp_path: Path) -> None:
    checked = run(installed, "check", "--json", "-e", "x=2, y=x**2+3x+1", folder=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (result,) = map(json.loads, checked.stdout.splitlines())
    gradient = result["gradients"]["x"]
    assert (gradient["engine"], gradient["torch"], gradient["ok"]) == (7.0, 7.0, True)


def test_the_installed_program_runs_its_own_copy(installed: Path, tmp_path: Path) -> None:
    code = "import backprop_engine, backprop_tui; print(backprop_engine.__file__)"
    printed = run(installed.with_name("python"), "-c", code, folder=tmp_path).stdout
    assert Path(printed.strip()).is_relative_to(installed.parents[1])
