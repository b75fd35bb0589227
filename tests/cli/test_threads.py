"""How long numpy's threads wait for work, which they do by computing."""

from __future__ import annotations

import os

import pytest

from backprop_tui.__main__ import main

NAME = "OPENBLAS_THREAD_TIMEOUT"


@pytest.mark.parametrize(
    ("arguments", "before", "after"),
    [
        (["ops", "no-such"], None, "20"),
        (["ops", "no-such"], "26", "26"),
        (["run", "no-such.py"], None, None),  # a script's own affair
    ],
)
def test_threads_wait_for_a_moment_but_in_a_script(
    arguments: list[str],
    before: str | None,
    after: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(NAME, before or "")
    if before is None:
        monkeypatch.delenv(NAME)
    main(arguments)
    assert os.environ.get(NAME) == after
    assert "no-such" in capsys.readouterr().err
