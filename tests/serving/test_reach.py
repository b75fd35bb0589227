"""What a visitor's process can touch, whatever the app asks of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backprop_tui.opening.bundled import bundled_scenarios
from backprop_tui.serving.reach import Reach


@pytest.fixture
def reach(lessons: Path, tmp_path: Path) -> Reach:
    state = tmp_path / "state"
    state.mkdir()
    return Reach(lessons, state)


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("square.yaml", True),
        ("../lessons/square.yaml", True),
        ("away/../square.yaml", False),  # a link leads away, and up from there is not back
        ("new.bp", True),
        ("program.py", False),
        ("disguised.yaml", False),
        ("linked.yaml", False),
        ("away/secret.yaml", False),
        ("../private/secret.yaml", False),
        ("/etc/passwd", False),
        ("../lessons-of-others/square.yaml", False),
    ],
)
def test_what_is_served_may_be_opened_and_nothing_else(reach: Reach, name: str, may: bool) -> None:
    assert reach.may_open(reach.served / name) is may


def test_of_one_file_that_is_served_its_neighbour_is_not(reach: Reach) -> None:
    alone = Reach(reach.served / "square.yaml", reach.state)
    assert alone.may_open(reach.served / "square.yaml")
    assert not alone.may_open(reach.served / "cube.yaml")


def test_the_lessons_that_come_with_us_may_be_led_to(reach: Reach) -> None:
    assert reach.may_open(bundled_scenarios() / "basic.yaml")


ATTEMPTS = """
import os, pathlib, shutil, subprocess, sys
from backprop_tui.serving.reach import Reach, confine

served, state = map(pathlib.Path, sys.argv[1:])
mine, other = state / "mine", served / "square.yaml"
confine(Reach(served, state))
mine.write_text("1")
mine.replace(state / "renamed")
(state / "renamed").unlink()
(state / "folder").mkdir()
with open(os.devnull, "w"):
    pass
other.read_text()
print(subprocess.run([sys.executable, "-c", "print('an oracle')"], capture_output=True).stdout)
for attempt in (
    lambda: (served / "new").write_text("1"),
    lambda: other.open("a"),
    lambda: other.open("r+"),
    lambda: os.open(other, os.O_RDWR),
    lambda: os.open(b"new", os.O_CREAT),
    lambda: other.unlink(),
    lambda: other.rename(state / "taken"),
    lambda: mine.rename(served / "given"),
    lambda: (served / "folder").mkdir(),
    lambda: (served / "link").symlink_to(other),
    lambda: os.link(other, state / "same"),
    lambda: os.truncate(other, 0),
    lambda: other.chmod(0o777),
    lambda: shutil.rmtree(served),
    lambda: shutil.copy(other, served / "copy"),
    lambda: subprocess.run(["vi", "+1", str(other)]),
    lambda: subprocess.run("true", shell=True),
    lambda: os.system("true"),
    lambda: os.popen("true"),
    lambda: os.execv(sys.executable, ["python"]),
    lambda: os.fork(),
    lambda: os.posix_spawn("/bin/true", ["true"], {}),
):
    try:
        attempt()
    except PermissionError as error:
        assert "a served session may not do this" in str(error), error
        print("refused")
    else:
        print("done")
"""


def test_a_process_that_is_confined_writes_its_own_state_and_starts_nothing(reach: Reach) -> None:
    before = sorted(path.name for path in reach.served.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, reach.served, reach.state],
        capture_output=True,
        text=True,
        check=True,
        cwd=reach.served,
    )
    assert done.stdout.splitlines() == ["b'an oracle\\n'", *["refused"] * 22]
    assert sorted(path.name for path in reach.served.iterdir()) == before
    assert (reach.served / "square.yaml").stat().st_size > 0
