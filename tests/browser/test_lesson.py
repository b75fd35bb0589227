"""An exported lesson in a browser: it says what `trace` says, by all keys and at all widths."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from tests.browser.conftest import Opened
from tests.export.hostile import BAD, hostile_trace

from backprop_engine.basics.source import Source
from backprop_engine.reading.explain import explain
from backprop_engine.reading.timeline_words import grads_after
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load_target
from backprop_engine.trace import Trace
from backprop_tui.export import pages
from backprop_tui.export.lesson import lesson_of
from backprop_tui.headless.trace_text import as_json

SCENARIOS = Path(__file__).parents[2] / "scenarios"
LESSONS = sorted(SCENARIOS.glob("*.yaml"))
SEEN = """() => {
  const texts = what => [...document.querySelectorAll(what)].map(x => x.textContent);
  return {
    headline: texts("#step h2")[0] ?? "", sentence: texts("#step > p:not(.dim)").join(" "),
    product: texts("#step .figures b"), sum: texts("#step .sum td:nth-child(3)"),
    sent: texts("#step .arrays .c td"), grads: texts("#step p > b"), place: texts("#place")[0],
    text: texts("#step")[0], lit: texts(".box.at, .box.to"), marked: texts("mark")[0],
  };
}"""


def of(text: str) -> Trace:
    return record(load_target(Source("<-e>", text)))


def numbers(texts: list[str]) -> list[float]:
    return [float(text.replace("−", "-")) for text in texts if text not in "–…⋮"]


def nearly(value: Any, digits: int) -> Any:
    return pytest.approx(
        np.asarray(value, float).reshape(-1), rel=5.01 * 10.0**-digits, nan_ok=True
    )


def seen(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(SEEN)
    return found


def walked(page: Page, count: int) -> list[dict[str, Any]]:
    """What there is to see before each step and at the end, by the key `s`."""
    found: list[dict[str, Any]] = page.evaluate(
        f"""count => Array.from({{length: count + 1}}, () => {{
          const there = ({SEEN})();
          dispatchEvent(new KeyboardEvent("keydown", {{key: "s"}}));
          return there;
        }})""",
        count,
    )
    return found


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_it_says_at_every_step_what_trace_says(opened: Opened, path: Path) -> None:
    trace = record(load_target(str(path)))
    *steps, end = walked(opened(trace), len(trace))
    assert len(LESSONS) == 10
    for line, there in zip(as_json(trace), steps, strict=True):
        told = explain(trace, line["step"])
        assert there["place"] == f"{line['step']}/{len(trace)}"
        assert there["headline"] == told.headline
        assert not re.search(r"false|undefined|NaN|¦|\[object", there["text"])
        assert told.sentence in there["sentence"]
        sent, total = line["contribution"], line["total_after"]
        if line["kind"] == "contribution" and np.ndim(total) == 0:
            assert numbers(there["sum"][-1:]) == nearly(total, 6)
        if there["product"]:
            assert numbers(there["product"][:1]) == nearly(sent, 6)
            assert there["product"] == [told.contribution, told.upstream, told.local]
        elif line["kind"] == "contribution" and np.size(sent) <= 48:
            assert numbers(there["sent"] or there["sum"][1:2]) == nearly(sent, 4)
    finals = {name: grad for _, name, grad in grads_after(trace, trace.passes[-1])}
    told_grads = dict(text.split(".grad = ") for text in end["grads"])
    assert told_grads.keys() == finals.keys()
    for name, grad in finals.items():
        if isinstance(grad, float):
            assert numbers([told_grads[name]]) == nearly(grad, 6)


def test_every_key_moves_as_in_the_app(opened: Opened) -> None:
    page = opened(of("x=2, y=x**2+3x+1"))
    places = []
    for key in ["s", "s", "S", "f", "n", "n", "N", "F", "f", "f", "F", "r", "n", " ", "ArrowRight"]:
        page.keyboard.press(key)
        places.append(int(seen(page)["place"].split("/")[0]))
    assert places == [1, 2, 1, 4, 5, 6, 5, 4, 10, 10, 4, 0, 1, 2, 3]
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**#2")
    page.keyboard.press("Home")
    page.wait_for_url("**#0")


def test_the_address_changes_when_one_stops_as_browsers_allow_few_changes(opened: Opened) -> None:
    page = opened(of("x=2, y=x**2+3x+1"), at=3)
    changes = page.evaluate(
        """() => {
          let changes = 0;
          const change = history.replaceState.bind(history);
          history.replaceState = (...told) => { changes++; change(...told); };
          for (let i = 0; i < 50; i++) for (const key of ["s", "S"])
            dispatchEvent(new KeyboardEvent("keydown", {key}));
          dispatchEvent(new KeyboardEvent("keydown", {key: "s"}));
          return new Promise(done => setTimeout(() => done(changes), 400));
        }"""
    )
    assert changes == 1
    assert page.url.endswith("#4")
    page.evaluate("location.hash = 8")
    page.wait_for_function("document.querySelector('#place').textContent == '8/10'")
    page.go_back()
    page.wait_for_function("document.querySelector('#place').textContent == '4/10'")


def test_who_hears_the_page_is_told_what_each_part_and_button_is(opened: Opened) -> None:
    page = opened(of("x=2, y=x**2+3x+1"), at=9)
    names = ["start of this pass", "one node back", "one step back", "one contribution",
             "next node", "end of this pass", "search", "these keys"]  # fmt: skip
    buttons = page.get_by_role("navigation").get_by_role("button")
    assert [button.get_attribute("aria-label") for button in buttons.all()] == names
    assert page.get_by_role("button", name="next node", exact=True).is_visible()
    for region in ("graph", "step"):
        assert page.get_by_role("region", name=region).is_visible()
    assert page.get_by_role("slider", name="step").is_visible()
    focused = []
    for _ in range(4):  # the boxes that take part, and then the timeline
        page.keyboard.press("Tab")
        focused.append(page.evaluate("document.activeElement.textContent"))
    assert focused == ["▶ %1 = x²4∂ 1", "◐ x23 → 7", "forward", "backward y"]


def test_without_scripts_the_page_says_what_it_needs(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "lesson.html"
    file.write_bytes(pages.page(lesson_of(of("x=2, y=x**2"))))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert "This page needs JavaScript." in page.get_by_role("banner").inner_text()
    context.close()


def test_g_goes_to_a_step_a_part_and_a_name(opened: Opened) -> None:
    page = opened(of("x=2, y=x**2+3x+1"))
    places = []
    for typed in ("7", "50%", "+3", "y", "x"):
        page.keyboard.press("g")
        page.keyboard.type(f"{typed}\n")
        places.append(seen(page)["place"])
    assert places == ["7/10", "5/10", "8/10", "3/10", "8/10"]


def test_g_and_search_say_what_is_not_there(opened: Opened) -> None:
    page = opened(of("x=2, y=x**2+3x+1"))
    page.keyboard.press("g")
    page.keyboard.type("zz\n")
    assert page.locator("#ask p").inner_text() == "“zz” is no place"
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("zz\n")
    assert page.locator("#ask p").inner_text() == "“zz” is nowhere"


def test_search_lights_a_node_and_brackets_go_on(opened: Opened) -> None:
    page = opened(of("x=2, y=x**2+3x+1"))
    page.keyboard.press("/")
    page.keyboard.type("MulB\n")
    assert page.locator(".hit").inner_text().startswith("○ %2 = 3·x")
    page.keyboard.press("/")
    page.keyboard.type("+\n")
    names = [page.locator(".hit b").inner_text()]
    for key in "]][":
        page.keyboard.press(key)
        names.append(page.locator(".hit b").inner_text())
    assert names == ["○ y = %3 + 1", "○ %3 = %1 + %2", "○ y = %3 + 1", "○ %3 = %1 + %2"]


def test_the_help_names_every_key_and_closes(opened: Opened) -> None:
    page = opened(of("x=2, y=x**2+3x+1"))
    page.keyboard.press("?")
    keys = page.locator("#help td:first-child").all_inner_texts()
    assert keys == ["s", "S", "n", "N", "f", "F", "r", "g", "/", "]", "[", "?"]
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    assert seen(page)["place"] == "0/10"


def test_the_mouse_does_what_the_keys_do(opened: Opened) -> None:
    page = opened(of("x=2, y=x**2+3x+1"))
    page.locator("nav button[value=n]").click()
    assert seen(page)["place"] == "1/10"
    page.locator("#passes button").nth(1).click()
    assert seen(page)["place"] == "4/10"
    page.locator(".box.leaf").first.click()
    assert seen(page)["place"] == "8/10"
    page.locator("#slider").fill("9")
    there = seen(page)
    assert there["place"] == "9/10"
    assert there["lit"] == ["▶ %1 = x²4∂ 1", "◐ x23 → 7"]
    assert there["marked"] == "x**2"


def test_a_swipe_steps_on(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "lesson.html"
    file.write_bytes(pages.page(lesson_of(of("x=2, y=x**2+3x+1"))))
    context = browser.new_context(has_touch=True, viewport={"width": 400, "height": 800})
    page = context.new_page()
    page.goto(file.as_uri())
    touch = """x => new Touch({identifier: 1, target: document.body, clientX: x, clientY: 500})"""
    page.evaluate(
        f"""() => {{
          const at = {touch}, step = document.getElementById("step");
          step.dispatchEvent(new TouchEvent("touchstart", {{touches: [at(300)]}}));
          step.dispatchEvent(new TouchEvent("touchend", {{changedTouches: [at(100)]}}));
        }}"""
    )
    assert seen(page)["place"] == "1/10"
    context.close()


def test_a_product_that_is_too_wide_goes_on_with_its_sign(opened: Opened, tab: Page) -> None:
    tab.set_viewport_size({"width": 400, "height": 900})
    page = opened(record(load_target(str(SCENARIOS / "lesson-10-network.yaml"))), at=15)
    parts = page.locator("#step .arrays > *")
    assert [text[0] for text in parts.all_inner_texts()[1:]] == ["=", "@"]
    lefts = parts.evaluate_all("parts => parts.map(part => part.getBoundingClientRect().left)")
    assert len(set(lefts)) == 1


def test_no_formula_has_a_scrollbar_beside_it(opened: Opened, tab: Page) -> None:
    trace = record(load_target(str(SCENARIOS / "exercises" / "08-mean.yaml")))
    page = opened(trace)
    for width in (400, 1400):
        tab.set_viewport_size({"width": width, "height": 900})
        beyond = page.evaluate(
            """count => Array.from({length: count}, () => {
              const beyond = [...document.querySelectorAll(".maths")].map(
                line => line.scrollHeight - line.clientHeight);
              dispatchEvent(new KeyboardEvent("keydown", {key: "s"}));
              return beyond;
            }).flat()""",
            len(trace),
        )
        assert len(beyond) > len(trace)
        assert max(beyond) == 0
        page.keyboard.press("r")


def test_a_small_array_is_added_up_in_numbers(opened: Opened) -> None:
    page = opened(record(load_target(str(SCENARIOS / "lesson-10-network.yaml"))), at=15)
    there = seen(page)
    assert there["sum"] == ["–", *["[[2.373], [−2.963]]"] * 2]
    assert "→ [[2.4]" in there["lit"][0] + there["lit"][1]


def test_it_fits_every_width_in_the_light_and_in_the_dark(opened: Opened, tab: Page) -> None:
    opened(record(load_target(str(SCENARIOS / "lesson-07-broadcast.yaml"))), at=5)
    for width, scheme in ((400, "light"), (400, "dark"), (1600, "light"), (1600, "dark")):
        tab.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        tab.set_viewport_size({"width": width, "height": 900})
        tab.keyboard.press("r")
        for _ in range(5):
            tab.keyboard.press("s")
        wide, high = tab.evaluate("[document.body.scrollWidth, document.body.scrollHeight]")
        assert (wide, high) == (width, 900)
        for box in tab.locator(".box.at, .box.to").all():
            left = box.evaluate("box => box.getBoundingClientRect().left")
            assert 0 <= left < width - 50
        ink, paper = tab.evaluate(
            "[getComputedStyle(document.body)].flatMap(({color, backgroundColor}) =>"
            "  [color, backgroundColor].map(rgb => +rgb.match(/[0-9]+/)[0]))"
        )
        assert (ink < paper) == (scheme == "light")


def test_nothing_lies_over_the_boxes_of_a_graph_that_is_scrolled(opened: Opened, tab: Page) -> None:
    tab.set_viewport_size({"width": 400, "height": 700})
    opened(of("x=2, s=x, " + ", ".join(["s=s*x+x"] * 30) + ", y=s*1"), at=120)
    legend = tab.locator("#legend").bounding_box()
    graph = tab.locator("#graph").bounding_box()
    assert legend is not None
    assert graph is not None
    assert legend["y"] + legend["height"] <= graph["y"]


def test_printed_it_is_the_whole_solution(opened: Opened, tab: Page) -> None:
    opened(of("x=2, y=x**2+3x+1"))
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    tab.emulate_media(media="print")
    assert tab.locator("article").count() == 10
    assert tab.locator("article:last-child .figures b").all_inner_texts() == ["4", "1", "4"]
    assert not tab.locator("footer").is_visible()


def test_a_stretch_keeps_its_numbers_and_what_came_before(opened: Opened) -> None:
    page = opened(of("x=2, y=x**2+3x+1"), at=9, stretch=(9, 10))
    there = seen(page)
    assert there["place"] == "9/10"
    assert there["sum"] == ["3", "4", "7"]
    assert there["lit"] == ["▶ %1 = x²4∂ 1", "◐ x23 → 7"]
    page.keyboard.press("S")
    assert seen(page)["place"] == "9/10"


def test_iterations_are_counted(opened: Opened) -> None:
    trace = record(load_target(str(SCENARIOS / "lesson-09-accumulate.yaml")))
    page = opened(trace, at=trace.passes[2].start)
    assert "iteration 2 of 3" in page.locator("#step").inner_text()


def test_nothing_hostile_leaves_its_place(opened: Opened, tab: Page) -> None:
    tab.on("dialog", lambda dialog: pytest.fail(dialog.message))
    trace = hostile_trace()
    opened(trace)
    for _ in range(len(trace) + 1):
        assert tab.locator("img, main script, [onclick]").count() == 0
        tab.keyboard.press("s")
    assert tab.locator("h1").inner_text().startswith(BAD[:40])
    assert "</script>" in tab.locator("#step").inner_text()
