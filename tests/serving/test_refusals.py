"""Who is not let in, and what nobody is given."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from tests.serving.conftest import served

from backprop_tui.serving.server import Server, is_loopback
from backprop_tui.serving.visitor import Visit, packet


async def test_the_printed_address_opens_the_page_and_gives_a_cookie_that_others_cannot_send(
    lessons: Path,
) -> None:
    async with served(lessons) as [guest]:
        answer = await guest.open()
        assert answer.status == 200
        cookie = answer.cookies[f"backprop-tui-{guest.server.port}"]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
        assert [(await guest.get(path)).status for path in ("/", "/page.js", "/mono.ttf")] == [
            200, 200, 200,
        ]  # fmt: skip


async def test_the_page_asks_nobody_else_for_anything(lessons: Path) -> None:
    async with served(lessons) as [guest]:
        answer = await guest.open()
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert f"connect-src 'self' ws://127.0.0.1:{guest.server.port};" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in await answer.text()
        assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("query", ["", "?token=", "?token=guessed", "?token=%C3%A9", "?Token={}"])
async def test_without_the_secret_there_is_nothing_to_see(lessons: Path, query: str) -> None:
    async with served(lessons) as [guest]:
        answer = await guest.get(f"/{query.format(guest.token)}")
        assert answer.status == 403
        assert "has printed" in await answer.text()
        assert not answer.cookies
        assert (await guest.get("/page.js")).status == 403
        assert (await guest.get(f"/page.js?token={guest.token}")).status == 403


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"garbage\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n", b"403"),
        (b"GET /?token=%ff HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n", b"403"),
        (
            b"GET / HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: backprop-tui-{port}=\xff\r\n\r\n",
            b"403",
        ),
    ],
)
async def test_bytes_that_no_browser_sends_are_refused_without_a_word_here(
    lessons: Path, capfd: pytest.CaptureFixture[str], request_: bytes, status: bytes
) -> None:
    async with served(lessons) as [guest]:
        reader, writer = await asyncio.open_connection("127.0.0.1", guest.server.port)
        writer.write(request_.replace(b"{port}", str(guest.server.port).encode()))
        assert (await reader.readline()).split()[1] == status
        writer.close()
        await writer.wait_closed()
    assert capfd.readouterr() == ("", "")


async def test_a_wrong_secret_is_no_better_for_having_a_cookie_beside_it(lessons: Path) -> None:
    async with served(lessons) as [guest]:
        await guest.open()
        assert (await guest.get("/?token=guessed")).status == 403


def test_two_servers_have_two_secrets(lessons: Path) -> None:
    addresses = {Server(Visit(lessons), host="127.0.0.1", port=1, most=8).address for _ in range(5)}
    assert len(addresses) == 5
    assert all(len(address.partition("token=")[2]) == 32 for address in addresses)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "localhost:1", "localhost", "", "[", "a:b"]
)
async def test_a_name_that_others_may_have_led_here_by_is_refused(lessons: Path, host: str) -> None:
    async with served(lessons) as [guest]:
        await guest.open()
        named = host.format(port=guest.server.port)
        answer = await guest.get(f"/?token={guest.token}", Host=named)
        assert answer.status == 403
        assert "name" in await answer.text()


async def test_this_machine_may_be_called_localhost(lessons: Path) -> None:
    async with served(lessons) as [guest]:
        local = f"localhost:{guest.server.port}"
        assert (await guest.get(f"/?token={guest.token}", Host=local)).status == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1", "https://{}"]
)
async def test_another_site_gets_neither_page_nor_terminal(lessons: Path, origin: str) -> None:
    async with served(lessons) as [guest]:
        await guest.open()
        foreign = origin.format(guest.base.removeprefix("http://"))
        assert (await guest.get("/", Origin=foreign)).status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await guest.terminal(Origin=foreign)
        assert refused.value.status == 403


async def test_a_terminal_that_does_not_say_where_it_is_from_is_refused(lessons: Path) -> None:
    async with served(lessons) as [guest]:
        await guest.open()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await guest.session.ws_connect(f"{guest.base}/ws")
        assert refused.value.status == 403


@pytest.mark.parametrize("query", ["", "&token={}"])
async def test_a_terminal_needs_the_cookie(lessons: Path, query: str) -> None:
    async with served(lessons) as [guest]:
        address = f"{guest.base}/ws?width=80{query.format(guest.token)}"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await guest.session.ws_connect(address, headers={"Origin": guest.base})
        assert refused.value.status == 403


@pytest.mark.parametrize(
    "path",
    ["/index.html", "/server.py", "/lessons/square.yaml", "/static/", "/download/1",
     "/..%2f..%2fserver.py", "//page.js", "/page.js/"],
)  # fmt: skip
async def test_there_are_six_files_and_no_others(lessons: Path, path: str) -> None:
    async with served(lessons) as [guest]:
        await guest.open()
        assert (await guest.get(path)).status == 404


async def test_nothing_can_be_sent_but_by_the_terminal(lessons: Path) -> None:
    async with served(lessons) as [guest]:
        await guest.open()
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
            answer = await guest.session.request(method, f"{guest.base}/")
            assert answer.status == 405


@pytest.mark.parametrize(
    "sent",
    ["", "{", "[]", "1", '["stdin"]', '["stdin", 1]', '["stdin", "n", 1]', '["resize", {}]',
     '["resize", {"width": "80", "height": 24}]', '["quit"]', '["focus"]', '["ping", "1"]',
     '{"type": "quit"}', "[" * 100_000, b"n", None],
)  # fmt: skip
def test_what_a_terminal_does_not_send_is_not_passed_on(sent: object) -> None:
    assert packet(sent) == b""


def test_keys_and_sizes_are_passed_on_as_far_as_a_screen_goes() -> None:
    assert packet('["stdin", "é"]') == b"D\x00\x00\x00\x02\xc3\xa9"
    assert packet('["stdin", "\\ud800"]') == b"D\x00\x00\x00\x01?"
    assert b'"width": 120, "height": 40' in packet('["resize", {"width": 120, "height": 40}]')
    huge = packet('["resize", {"width": 1000000000, "height": -1}]')
    assert b'"width": 500, "height": 10' in huge


@pytest.mark.parametrize(
    ("host", "is_own"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.1.2.3", True),
     ("0.0.0.0", False), ("192.168.1.20", False), ("example.org", False), ("::", False)],
)  # fmt: skip
def test_it_is_known_which_hosts_are_this_machine_alone(host: str, is_own: bool) -> None:
    assert is_loopback(host) is is_own
