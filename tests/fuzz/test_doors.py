"""Whatever is typed or loaded, there is an answer or a refusal: never another exception."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.doors import DOORS
from tests.fuzz.programs import program
from tests.thorough import share

FOUND = Path(__file__).with_name("found.txt")
SCENARIOS = Path(__file__).parents[2] / "scenarios"
TEXTS = [path.read_text("utf-8") for path in sorted(SCENARIOS.glob("*.yaml"))]

quick = settings(max_examples=share(30, 60), deadline=None, suppress_health_check=list(HealthCheck))

words = st.sampled_from(
    [
        "x", "y", "=", "==", "**", "@", "(", ")", "[", "]", ",", ";", "\n", " ", "    ", ":", "|",
        "inputs:", "compute:", "backward:", "{", "}", "- ", "&a ", "*a", "!!x ", "'", '"', "#",
        "torch.", "sum", "with torch.no_grad():", ".grad", ".backward()", "1e999", "9" * 400,
        "None", "lambda", "\x1b[31m", "\u202e", "\ud800", "\0", "\ufeff", "\r", "𝑥", "é", ".inf",
        "grad", "value", "upstream", "any(", "all(", '{"passes":', '"values": [1]', "null",
    ]
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A lesson with a piece of it replaced."""
    text = draw(st.sampled_from(TEXTS))
    start = draw(st.integers(0, len(text)))
    stop = draw(st.integers(start, min(len(text), start + 30)))
    return text[:start] + "".join(draw(st.lists(words, max_size=5))) + text[stop:]


KEYS = [
    "passes", "values", "grad_fns", "version", "index", "grads", "without_grad", "gradients",
    "senders", "receivers", "sent", "keys", "kinds", "numbers", "others", "names", "codes",
    "<array>",
]  # fmt: skip

arrays = st.tuples(
    st.sampled_from(["float64", "int32", "uint8", "uint16", "bool", "object", "f8,f8", "(9,9)f8"]),
    st.integers(-1, 3) | st.just(2**62),
).map(lambda told: {"<array>": list(told)})

texts = st.lists(words, max_size=30).map("".join) | st.text(max_size=60)


@pytest.mark.parametrize("door", sorted(DOORS))
@quick
@given(text=texts)
def test_words_in_any_order_are_answered_or_refused(door: str, text: str) -> None:
    DOORS[door](text)


@quick
@given(text=damaged())
def test_a_damaged_lesson_is_answered_or_refused(text: str) -> None:
    DOORS["document"](text)


@settings(quick, max_examples=share(80, 300))
@given(text=program())
def test_every_function_of_anything_is_answered_or_refused(text: str) -> None:
    DOORS["snippet"](text)


@quick
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | arrays,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(KEYS),
                inner,
                max_size=6,
            )
        ),
        max_leaves=20,
    )
)
def test_a_reply_that_is_none_is_refused(reply: object) -> None:
    DOORS["reply"](json.dumps(reply) + "\n" + "\0" * 500)


def found() -> list[tuple[str, str]]:
    """Door and text of each line of the table of what the fuzzers have found."""
    lines = FOUND.read_text("utf-8").splitlines()
    rows = [line.split("\t", 1) for line in lines if line and not line.startswith("#")]
    return [(door, ast.literal_eval(text)) for door, text in rows]


@pytest.mark.parametrize(("door", "text"), found())
def test_what_was_found_once_stays_mended(door: str, text: str) -> None:
    DOORS[door](text)
