"""`python -m tests.catalogue [NAME…]`: how many of torch's own samples ran, a line a function.

With names, only the entries in whose name one of them occurs, and every fault and refusal. With
`--refusals`, the lines that refusals.py would have to have.
"""

from __future__ import annotations

import sys
from collections import Counter

from tests.catalogue.database import DTYPES, shared
from tests.catalogue.running import Tally, run_entry
from tests.catalogue.writing import Reason

_ROW = "{:44} {:8} {:>7} {:>5} {:>6} {:>8} {:>6}  {}"


def main(words: list[str]) -> int:
    """Print the table; 1 if anything differs."""
    only_refusals = "--refusals" in words
    words = [word for word in words if not word.startswith("-")]
    tallies: list[Tally] = []
    if not only_refusals:
        _print("function", "dtype", "samples", "run", "others", "refused", "ulp", "why")
    for name, entry in shared().items():
        if words and not any(word in name for word in words):
            continue
        both = [run_entry(entry, dtype) for dtype in DTYPES]
        if only_refusals:
            _print_refusals(name, both)
        else:
            for tally in both:
                _print_tally(tally, in_full=bool(words))
        tallies += both
    faults = sum(len(one.faults) for one in tallies)
    if not only_refusals:
        print(
            f"{len({one.name for one in tallies})} functions: "
            f"{sum(one.run for one in tallies)} samples run, {faults} differ, "
            f"{sum(one.refused.total() for one in tallies)} refused, "
            f"{sum(one.not_chosen for one in tallies)} more of the same forms not chosen"
        )
    return int(faults > 0)


def _print(*cells: object) -> None:
    print(_ROW.format(*cells).rstrip())


def _print_tally(tally: Tally, *, in_full: bool) -> None:
    why = "; ".join(f"{count} {reason.value}" for reason, count in tally.refused.items())
    _print(
        tally.name, tally.dtype, tally.generated, tally.run, tally.not_chosen,
        tally.refused.total(), f"{tally.worst_ulp:.3g}", why,
    )  # fmt: skip
    for text in [*tally.faults, *(tally.refusals if in_full else ())]:
        print(f"    {text}")


def _print_refusals(name: str, tallies: list[Tally]) -> None:
    refused: Counter[Reason] = sum((tally.refused for tally in tallies), start=Counter())
    if refused:
        counts = [f"{one.name}: {refused[one]}" for one in Reason if refused[one]]
        print(f'    "{name}": {{{", ".join(counts)}}},')


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
