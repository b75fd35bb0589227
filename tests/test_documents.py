"""README, CONTRIBUTING, the reference and the scenarios say what is so."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch

from backprop_engine.backward import backward
from backprop_engine.basics import limits
from backprop_engine.catalogue.shared.entries import operation
from backprop_engine.graph import Graph
from backprop_engine.operation import Operation
from backprop_engine.scenarios.loader import load
from backprop_tui.cli import _COMMANDS, main
from backprop_tui.commands.command import key_name
from backprop_tui.commands.table import COMMANDS
from backprop_tui.headless.ops import markdown

ROOT = Path(__file__).parents[1]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
}
README, CONTRIBUTING = DOCUMENTS["README.md"], DOCUMENTS["CONTRIBUTING.md"]
REFERENCE = {Path(name).stem: text for name, text in DOCUMENTS.items() if "docs/" in name}
EXAMPLES = [example for text in DOCUMENTS.values() for example in blocks(text, "console")]
CLASSIC = re.compile(r"(\d+)\s+classic\s+mistakes")
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_file_a_document_links_to_exists(name: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", DOCUMENTS[name])
    folder = (ROOT / name).parent
    ours = [
        target
        for target in targets
        if "://" not in target and not target.startswith("../../actions/")
    ]
    missing = [one for one in ours if not (folder / one).exists()]
    assert missing == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_a_document_names_exists(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    assert {"run", "test", "lint", "snapshots", "bench"} <= targets
    assert set(re.findall(r"`make (\w+)", DOCUMENTS[name])) <= targets


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.splitlines()[0])
@pytest.mark.usefixtures("shared_oracles")
def test_a_command_in_a_document_prints_what_it_says(
    example: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command, _, expected = example.partition("\n")
    program, *arguments = shlex.split(command.removeprefix("$ "))
    assert program == "backprop-tui"
    monkeypatch.chdir(ROOT)
    main(arguments)
    printed = capsys.readouterr()
    assert printed.out + printed.err == expected


def test_the_readmes_picture_is_what_the_app_draws_today(tmp_path: Path) -> None:
    drawn = tmp_path / "screenshot.svg"
    script = ROOT / ".github" / "screenshot.py"
    subprocess.run([sys.executable, script, drawn], check=True, capture_output=True)
    is_same = drawn.read_bytes() == (script.parent / "screenshot.svg").read_bytes()
    assert is_same, "look at the app; if it is as it should be, run `make screenshot`"


def test_the_readmes_picture_moves_by_itself_and_fetches_nothing() -> None:
    picture = (ROOT / ".github" / "screenshot.svg").read_text(encoding="utf-8")
    assert len(picture.encode()) <= 200_000
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(picture).iter()}
    assert tags == {"svg", "style", "g", "rect", "circle", "text"}
    outside = picture.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|url\(|@import|href", outside)
    moments = {
        stop
        for keyframes in re.findall("@keyframes (.*)", picture)
        for stop in re.findall(r"[\d.]+%", keyframes)
    }
    assert len(moments) == 13
    assert "prefers-reduced-motion" in picture


def test_the_table_of_operations_is_that_of_the_catalogue() -> None:
    table = REFERENCE["operations"].split("<!-- ops -->\n")[1].split("<!-- /ops -->")[0]
    assert table == markdown(), "run `make reference`"


def test_the_reference_writes_its_table_between_the_markers(tmp_path: Path) -> None:
    copy = tmp_path / "operations.md"
    copy.write_text("before\n<!-- ops -->\nold\n<!-- /ops -->\nafter\n", encoding="utf-8")
    script = ROOT / ".github" / "reference.py"
    subprocess.run([sys.executable, script, copy], check=True, capture_output=True)
    written = f"before\n<!-- ops -->\n{markdown()}<!-- /ops -->\nafter\n"
    assert copy.read_text(encoding="utf-8") == written


def test_the_reference_lists_the_keys_of_all_commands_and_no_others() -> None:
    rows = re.findall(r"^\| (.*?) \| .* \|$", REFERENCE["keys"], re.MULTILINE)[1:]
    listed = re.findall("`(.+?)`", " ".join(rows))
    assert sorted(listed) == sorted(key_name(key) for command in COMMANDS for key in command.keys)


def test_the_reference_lists_every_command_and_which_take_what(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = REFERENCE["command-line"]
    listed = set(re.findall(r"^\| `backprop-tui ([a-z]+)", page, re.MULTILINE))
    helped = {}
    for command in listed:
        main([command, "--help"])
        helped[command] = capsys.readouterr().out
    assert listed == set(_COMMANDS)
    for pattern, option in (
        (r"that (.*) take, may be `-e", "-e TEXT"),
        (r"(.*) take `--json`", "--json"),
    ):
        (said,) = re.findall(pattern, page)
        named = set(re.findall(r"`([a-z]+)`", said))
        assert named == {command for command, text in helped.items() if option in text}


def test_the_reference_lists_every_lesson() -> None:
    linked = re.findall(r"\]\(../scenarios/(.+?)\)", REFERENCE["lessons"])
    exercises = (ROOT / "scenarios" / "exercises").glob("*.yaml")
    listed = [
        *(path.name for path in SCENARIOS),
        *sorted(f"exercises/{path.name}" for path in exercises),
    ]
    assert linked == listed


def test_the_readme_is_read_in_three_minutes() -> None:
    prose = re.sub(r"^```.*?^```$|^\|.*?$", "", README, flags=re.MULTILINE | re.DOTALL)
    assert len(prose.split()) <= 700, "details belong into docs/"


def test_the_readme_leads_to_every_page_of_the_reference() -> None:
    linked = set(re.findall(r"\]\(docs/(\w[\w-]*)\.md\)", README))
    assert linked == set(REFERENCE)


def test_the_documents_count_the_classic_mistakes_right() -> None:
    told = [int(count) for text in DOCUMENTS.values() for count in CLASSIC.findall(text)]
    assert len(told) == 3
    assert set(told) == {len(list((ROOT / "scenarios" / "gallery").glob("*.yaml")))}


@pytest.mark.parametrize("name", ["README.md", "docs/scenarios.md"])
@pytest.mark.usefixtures("shared_oracles")
def test_a_documents_example_of_a_scenario_is_all_right(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = blocks(DOCUMENTS[name], "yaml")
    path = tmp_path / "example.yaml"
    path.write_text(example, encoding="utf-8")
    assert load(path).expectations
    assert main(["check", str(path)]) == 0, capsys.readouterr()


def test_the_example_operation_in_contributing_agrees_with_torch() -> None:
    (example,) = blocks(CONTRIBUTING, "python")
    names = {"operation": operation, "np": __import__("numpy")}
    exec(example, names)
    (log1p,) = (value for value in names.values() if isinstance(value, Operation))
    graph = Graph()
    x = graph.add_input("x", 0.5, requires_grad=True)
    y = graph.apply(log1p, (x,))
    (contribution,) = backward(graph, y, 1.0)

    leaf = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    output = log1p.twins.torch(torch, leaf)
    output.backward()
    assert leaf.grad is not None
    assert graph.value[y] == pytest.approx(output.item(), rel=1e-15)
    assert contribution.total == pytest.approx(leaf.grad.item(), rel=1e-15)
    assert graph.grad_fn(y) == output.grad_fn.name()


def test_every_path_on_the_map_of_the_house_exists() -> None:
    rooms = section(CONTRIBUTING, "The map of the house").split("\n### ")[1:]
    listed = []
    for room in rooms:
        heading, _, table = room.partition("\n")
        folder = "/".join(re.findall("^`(.+?)`", heading))
        cells = " ".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))
        listed += [ROOT / folder / path for path in re.findall("`(.+?)`", cells)]
    assert len(listed) > 20
    assert [path for path in listed if not path.exists()] == []


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_lesson_fits_its_pane_and_says_what_to_expect(path: Path) -> None:
    scenario = load(path)
    assert scenario.title
    lines = scenario.about.splitlines()
    assert 0 < len(lines) <= 12
    assert max(map(len, lines)) <= 72
    expected = [expectation.is_grad for expectation in scenario.expectations]
    assert any(expected)
    assert not all(expected)


def test_the_lessons_are_ten_and_their_names_sort_as_they_are_to_be_read() -> None:
    names = [path.stem for path in SCENARIOS]
    assert names[:2] == ["basic", "cube"]
    assert [int(name.split("-")[1]) for name in names[2:]] == list(range(3, 11))


def test_the_reference_knows_every_limit():
    told = REFERENCE["limits"]
    numbers = {name: value for name, value in vars(limits).items() if name.startswith("MAX_")}

    assert len(numbers) > 10
    for name, value in numbers.items():
        in_bytes = name in ("MAX_FILE", "MAX_SENT")
        said = f"{value // 1_000_000} MB" if in_bytes else f"{value:,}"
        assert f" {said} " in told or f" {said};" in told, name
    assert f"| {limits.PIPE_SECONDS:g} seconds" in told
    assert f"| {limits.DEFAULT_GIGABYTES:g} GB, or what `{limits.MEMORY_VARIABLE}` says" in told
    assert f"{limits.DEFAULT_SECONDS:g} seconds each, or what `{limits.SECONDS_VARIABLE}`" in told
