"""`backprop-tui serve` on the command line: what it says, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from backprop_tui.cli import main
from backprop_tui.serving import command

Said = pytest.CaptureFixture[str]


def refused(capsys: Said, *arguments: object) -> str:
    assert main(["serve", *map(str, arguments)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_what_cannot_be_served_is_said_in_one_line(lessons: Path, capsys: Said) -> None:
    assert "there is no such file" in refused(capsys, lessons / "none.yaml")
    assert "only scenarios" in refused(capsys, lessons / "program.py")
    assert "unrecognized arguments: --yours" in refused(capsys, "--yours", "engine.py")
    assert "invalid port" in refused(capsys, "--port", 2**16)
    assert "invalid positive" in refused(capsys, "--most", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = f"backprop-tui: port {port} is taken; give another with --port\n"
        assert refused(capsys, "--port", port, lessons) == told
    unknown = refused(capsys, "--host", "192.0.2.1", lessons)
    assert unknown.startswith("backprop-tui: 192.0.2.1 is no address that this machine can serve")


def test_a_mistake_in_the_one_scenario_is_told_before_anybody_comes(
    tmp_path: Path, capsys: Said
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("inputs: {x: 2}\ncompute: y = x*z\n")
    assert refused(capsys, wrong).startswith(f"{wrong}:2:16: unknown name `z`")


def test_without_the_extra_it_says_how_to_get_it(
    capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    told = "backprop-tui: serve needs two packages more: pip install 'backprop-tui[serve]'\n"
    assert refused(capsys) == told


@pytest.fixture
def server(lessons: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "backprop_tui", "serve", "--port=0", "--host=0.0.0.0", lessons],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="there it is sent otherwise")
async def test_others_in_the_network_are_a_matter_that_is_said_aloud(
    server: subprocess.Popen[str],
) -> None:
    assert server.stdout is not None
    assert server.stderr is not None
    address = server.stdout.readline().strip()
    assert address.startswith(f"http://{socket.gethostname()}:")
    port, _, query = address.rpartition(":")[2].partition("/")
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/{query}") as answer:
            assert answer.status == 200
        rebound = {"Host": f"evil.example:{port}"}
        async with session.get(f"http://127.0.0.1:{port}/{query}", headers=rebound) as answer:
            assert answer.status == 403
    server.send_signal(signal.SIGINT)
    assert server.wait(20) == 130
    told = server.stderr.read()
    assert "everybody who has this address and reaches this machine" in told
    assert "unencrypted" in told
    assert "Traceback" not in told
