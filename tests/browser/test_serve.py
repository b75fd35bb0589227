"""The debugger in a browser: keys, mouse, resizing, the palette, leaving and coming back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyte
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, WebSocket

PATIENCE = 30.0


class Shown:
    """What the terminal in a page shows: what is drawn on its canvas comes through its socket."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.asked: list[str] = []
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)
        page.on("websocket", self._connect)
        page.on("console", self._hear_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def _hear_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":  # of its queue the terminal tells, too, where it is slow
            self.errors.append(message.text)

    def _connect(self, socket: WebSocket) -> None:
        self.asked.append(socket.url)
        size = parse_qs(urlsplit(socket.url).query)
        self._screen.reset()
        self._screen.resize(int(size["height"][0]), int(size["width"][0]))
        socket.on("framereceived", self._draw)
        socket.on("framesent", self._hear)

    def _draw(self, frame: str | bytes) -> None:
        assert isinstance(frame, bytes)
        self._stream.feed(frame)

    def _hear(self, frame: str | bytes) -> None:
        kind, *rest = json.loads(frame)
        if kind == "resize":
            self._screen.resize(rest[0]["height"], rest[0]["width"])

    @property
    def columns(self) -> int:
        return self._screen.columns

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    @property
    def title(self) -> str:
        return self._screen.display[0].rstrip()

    def until(self, words: str) -> str:
        return self.wait(lambda: words in self.text, words)

    def wait(self, is_so: Callable[[], bool], what: str) -> str:
        end = time.monotonic() + PATIENCE
        while not is_so():
            if time.monotonic() > end:
                pytest.fail(f"{what!r} never came:\n{self.text}")
            self.page.wait_for_timeout(20)
        return self.text

    def click(self, words: str) -> None:
        """Click where the words stand."""
        self.until(words)
        row, line = next(
            (at, line) for at, line in enumerate(self._screen.display) if words in line
        )
        box = self.page.locator(".xterm-screen").bounding_box()
        assert box is not None
        width, height = box["width"] / self.columns, box["height"] / self._screen.lines
        column = line.index(words) + 0.5
        self.page.mouse.click(box["x"] + column * width, box["y"] + (row + 0.5) * height)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The command itself, for one person at once."""
    folder: Path = tmp_path_factory.mktemp("served") / "lessons"
    folder.mkdir()
    (folder / "square.yaml").write_text("title: A square\ninputs: {x: 3}\ncompute: y = x*x\n")
    (folder / "cube.yaml").write_text("title: A cube\ninputs: {x: 2}\ncompute: y = x**3\n")
    with subprocess.Popen(
        [sys.executable, "-m", "backprop_tui", "serve", "--port=0", "--most=1", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()
    assert server.returncode == 143


def test_a_visitor_steps_by_keys_mouse_and_palette_and_may_come_back(
    browser: Browser, page: Page, address: str
) -> None:
    shown = Shown(page)
    page.goto(address)
    shown.until("A square")
    page.keyboard.press("ArrowDown")  # without a click
    page.keyboard.press("Enter")
    shown.until("lessons/square.yaml")
    page.keyboard.press("n")
    shown.until("start backward at y")
    page.keyboard.press("Control+p")
    shown.until("Search")
    page.keyboard.type("end of pass")
    shown.until("Run to the end of this pass")
    page.keyboard.press("Enter")
    shown.until("4/4")

    shown.click("Notes")
    shown.until("[Notes]")
    before = shown.columns
    page.set_viewport_size({"width": 1400, "height": 700})
    shown.wait(lambda: shown.columns > before, "a wider screen")
    shown.wait(lambda: len(shown.title) > before, "a wider title")

    other = browser.new_context().new_page()
    answer = other.goto(address)
    assert answer is not None
    assert answer.status == 503
    assert "all 1 places are taken" in other.content()
    other.context.close()

    page.keyboard.press("q")
    page.get_by_text("The session has ended.").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")  # the button has the focus
    page.get_by_text("The session has ended.").wait_for(state="hidden")
    shown.until("A square")

    base = address.partition("/?")[0]
    assert page.url == f"{base}/"
    assert {urlsplit(url).netloc for url in shown.asked} == {urlsplit(base).netloc}
    assert shown.errors == []


def test_another_site_reaches_nothing_although_the_visitor_has_come_in(
    page: Page, address: str
) -> None:
    page.request.get(address)  # which gives the cookie
    base = address.partition("/?")[0]
    other = page.context.new_page()
    other.goto("data:text/html,<p>another site</p>")
    came = other.evaluate(
        """(address) => new Promise((done) => {
            const socket = new WebSocket(address);
            socket.onopen = () => done("open");
            socket.onerror = () => done("refused");
        })""",
        f"ws://{urlsplit(base).netloc}/ws",
    )
    assert came == "refused"
    other.set_content(f'<iframe src="{base}/"></iframe>')
    assert other.frames[1].url in ("about:blank", f"{base}/", "chrome-error://chromewebdata/")
    assert "terminal" not in other.frames[1].content()


def test_without_the_secret_the_page_says_so(page: Page, address: str) -> None:
    page.goto(address.partition("?")[0])
    assert "open the address that" in page.content()
