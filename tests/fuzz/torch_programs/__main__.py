"""Random PyTorch programs, run by torch and by us; the same ones for the same seed.

`python -m tests.fuzz.torch_programs COUNT SEED` prints how many came to what, and each kind of
finding once, reduced to a few lines; its exit code is 1 if there are any.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from tests.fuzz.torch_programs.checking import noise
from tests.fuzz.torch_programs.judging import Outcome, Verdict, judge
from tests.fuzz.torch_programs.reducing import reduce
from tests.fuzz.torch_programs.writing import write

_EACH = 1_000_000
"""Programs of one seed: those of the next one begin after them."""
_MOST_NOISE = 10
"""Lines of noise that are printed."""
_CHECKED_OF = 20
"""One in so many is run by the command line as well."""


def main(words: list[str]) -> int:
    """Write, run, compare, and tell."""
    count, seed = int(words[0]), int(words[1])
    torch.set_num_threads(1)
    counts: Counter[tuple[Outcome, str]] = Counter()
    print(f"{count} programs, seed {seed}", flush=True)
    for at in range(seed * _EACH, seed * _EACH + count):
        text = write(at)
        verdict = judge(text)
        counts[verdict.outcome, verdict.kind] += 1
        if verdict.is_finding and counts[verdict.outcome, verdict.kind] == 1:
            _tell(at, text, verdict)
    for outcome in Outcome:
        kinds = {kind: n for (one, kind), n in counts.items() if one is outcome}
        print(f"{sum(kinds.values()):6} {outcome}")
        for kind, number in sorted(kinds.items(), key=lambda item: -item[1]):
            if kind:
                print(f"         {number:6} {kind}")
    odd = _through_check(range(seed * _EACH, seed * _EACH + count)[::_CHECKED_OF])
    return int(any(Verdict(outcome).is_finding for outcome, _ in counts) or odd)


def _through_check(numbers: Sequence[int]) -> bool:
    """Run some of the programs by the command line; whether it says anything that it should not."""
    with tempfile.TemporaryDirectory() as folder:
        odd = list(noise({str(number): write(number) for number in numbers}, Path(folder)))
    print(f"{len(numbers):6} of them through `backprop-tui check`: {len(odd)} lines of noise")
    for line in odd[:_MOST_NOISE]:
        print(line)
    return bool(odd)


def _tell(at: int, text: str, verdict: Verdict) -> None:
    """One finding, as short as it gets."""

    def is_same(shorter: str) -> bool:
        if ".backward(" not in shorter:  # the last name's would be meant, which is ours alone
            return False
        found = judge(shorter)
        return (found.outcome, found.kind) == (verdict.outcome, verdict.kind)

    short = reduce(text, is_same)
    print(f"==== {verdict.outcome}: {verdict.kind} (program {at})\n{short}----")
    print(judge(short).told, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
