"""`export -o FILE.html`, as far as it can be judged without a browser."""

from __future__ import annotations

import importlib.util
import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.export.hostile import hostile_trace

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load, load_target
from backprop_tui.export.lesson import lesson_of
from backprop_tui.export.pages import page

ROOT = Path(__file__).parents[2]
BASIC = ROOT / "scenarios" / "basic.yaml"
LARGE = "x=2, w=3, y=" + "+".join(f"tanh(w*x-{i})*x" for i in range(1, 60))


class Elements(HTMLParser):
    """What a browser would make of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.tags[-1][0], []).append(data)


def test_the_page_is_that_of_its_sources() -> None:
    pytest.importorskip("minify")
    path = ROOT / ".github" / "page.py"
    spec = importlib.util.spec_from_file_location("page", path)
    assert spec is not None
    assert spec.loader is not None
    maker: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    for name, is_quiz in maker.PAGES.items():
        built = (maker.FOLDER / name).read_text(encoding="utf-8")
        assert maker.built(quiz=is_quiz) == built, "run `make page`, and look at a lesson"


def test_the_policy_allows_the_pages_own_script_and_style_and_nothing_else() -> None:
    document = page(lesson_of(record(load(BASIC)))).decode()
    (policy,) = re.findall(r'http-equiv=Content-Security-Policy content="([^"]*)"', document)
    for kind in ("script", "style"):
        (text,) = re.findall(rf"<{kind}>(.*?)</{kind}>", document, re.DOTALL)
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert not re.search(r"(?:src|href|action)=|https?:|url\(|@import", document)


@pytest.mark.parametrize(
    ("target", "most"), [(str(BASIC), 15_000), (Source("<-e>", LARGE), 200_000)]
)
def test_a_page_is_small(target: str | Source, most: int) -> None:
    lesson = lesson_of(record(load_target(target)))
    assert len(page(lesson)) <= most
    if isinstance(target, Source):
        assert len(lesson.nodes) >= 300


def test_words_in_a_formula_keep_their_blanks() -> None:
    document = page(lesson_of(record(load_target(Source("<-e>", "x=[1, 2], y=x.sum()")))))
    assert "copied\xa0to\xa0every\xa0element" in document.decode()


def test_where_a_scenario_lies_is_not_told() -> None:
    document = page(lesson_of(record(load(BASIC)))).decode()
    assert "basic.yaml" in document
    assert BASIC.parent.name not in document


def test_nothing_of_a_scenario_leaves_its_place() -> None:
    document = page(lesson_of(hostile_trace())).decode()
    elements, harmless = Elements(document), Elements(page(lesson_of(record(load(BASIC)))).decode())
    assert [tag for tag, _ in elements.tags] == [tag for tag, _ in harmless.tags]
    assert not any(name.startswith("on") for _, attrs in elements.tags for name in attrs)
    assert set(document) & set("\x1b\x07\u202e\u2028\r") == set()
    (data,) = elements.texts["script"][:1]
    notes = Elements(json.loads(data)["a"])
    assert {tag for tag, _ in notes.tags} <= {"p", "code", "a"}
    # Where the notes name a picture there is a link, which asks for nothing by itself.
    assert [attrs for _, attrs in notes.tags if attrs] == [{"href": "http://example.com/b.png"}]
