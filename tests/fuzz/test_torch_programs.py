"""Random PyTorch programs leave behind what Python and torch leave behind, or are refused."""

from __future__ import annotations

import pytest
from tests.fuzz.torch_programs.checking import noise
from tests.fuzz.torch_programs.found import FOUND
from tests.fuzz.torch_programs.judging import Outcome, compare, judge
from tests.fuzz.torch_programs.reducing import reduce
from tests.fuzz.torch_programs.refused import OPEN, RAISING, REFUSED
from tests.fuzz.torch_programs.running import run_by_torch, run_here
from tests.fuzz.torch_programs.writing import write
from tests.thorough import share

SOME = 30
"""Programs to a test: each test takes about a second."""

SMALL = "import torch\nx = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)\n"


def told(ours: str, theirs: str) -> tuple[Outcome, str]:
    verdict = compare(run_by_torch(SMALL + theirs), run_here(SMALL + ours), theirs)
    return verdict.outcome, verdict.kind


@pytest.mark.parametrize("part", range(3))
def test_random_programs_come_to_what_torch_makes_of_them(part):
    for seed in range(part * SOME, (part + 1) * SOME):
        text = write(seed)
        verdict = judge(text)
        assert not verdict.is_finding, f"{verdict.outcome} (program {seed})\n{text}{verdict.told}"


def test_a_program_is_the_same_for_the_same_seed():
    assert [write(seed) for seed in range(5)] == [write(seed) for seed in range(5)]
    assert write(0) != write(1)


def test_what_differs_is_found():
    backward = "y.sum().backward()\n"
    assert told(f"y = x * 2\n{backward}", f"y = x * 2\n{backward}") == (Outcome.AGREES, "")
    assert told(f"y = x * 2\n{backward}", f"y = x * 2 + 1\n{backward}") == (Outcome.WRONG, "value")
    doubled = f"y = x * 2\nz = x.sum()\n{backward}z.backward()\n"
    assert told(f"y = x * 2\nz = x.sum()\n{backward}", doubled) == (Outcome.WRONG, "grad")
    assert told("y = x.sum()\ny.backward()\n", "y = x\ny.backward()\n")[0] is Outcome.ACCEPTED
    assert told("y = x\ny.backward()\n", "y = x.sum()\ny.backward()\n")[0] is Outcome.CLAIMED
    assert told("y = x\ny.backward()\n", "y = x\ny.backward()\n")[0] is Outcome.RAISES


def test_a_finding_is_reduced_to_the_lines_that_it_takes():
    text = "a = 1\nfor i in range(3):\n    b = 2\n    c = 3\nd = 4\n"
    assert reduce(text, lambda shorter: "c = 3" in shorter) == "c = 3\n"


def test_what_check_says_beside_its_results_is_noise(tmp_path):
    programs = {str(seed): write(seed) for seed in range(share(usual=3, thorough=30))}
    assert not list(noise(programs, tmp_path))
    odd = list(noise({"empty": ""}, tmp_path))
    assert not odd, "a program that is refused is told as others are"


@pytest.mark.parametrize("program", FOUND.values(), ids=list(FOUND))
def test_what_was_found_once_comes_to_what_torch_makes_of_it(program):
    verdict = judge(program)
    assert verdict.outcome is Outcome.AGREES, verdict.told


@pytest.mark.parametrize("program", OPEN.values(), ids=list(OPEN))
def test_what_nobody_can_know_is_told_and_not_judged(program):
    verdict = judge(program)
    assert verdict.outcome in (Outcome.AGREES, Outcome.TIE, Outcome.TRAP), verdict.told


@pytest.mark.parametrize("program", REFUSED.values(), ids=list(REFUSED))
def test_what_was_refused_without_a_fix_is_refused_with_one(program):
    verdict = judge(program)
    assert verdict.outcome is Outcome.REFUSED, verdict.told


@pytest.mark.parametrize("program", RAISING.values(), ids=list(RAISING))
def test_what_torch_was_found_to_refuse_is_refused(program):
    verdict = judge(program)
    assert verdict.outcome is Outcome.RAISES, verdict.told
