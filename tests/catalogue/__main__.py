"""`python -m tests.catalogue [NAME…]`: how many of torch's own samples ran, a line a function.

With names, only the entries in whose name one of them occurs, and every fault and refusal.
"""

from __future__ import annotations

import sys

from tests.catalogue.database import DTYPES, shared
from tests.catalogue.running import Tally, run_entry

_ROW = "{:44} {:8} {:>7} {:>5} {:>6} {:>8} {:>6}  {}"


def main(words: list[str]) -> int:
    """Print the table; 1 if anything differs."""
    print(_ROW.format("function", "dtype", "samples", "run", "others", "refused", "ulp", "why"))
    tallies: list[Tally] = []
    for name, entry in shared().items():
        if words and not any(word in name for word in words):
            continue
        for dtype in DTYPES:
            tally = run_entry(entry, dtype)
            tallies.append(tally)
            print(_row(tally))
            for text in [*tally.faults, *(tally.refusals if words else ())]:
                print(f"    {text}")
    faults = sum(len(one.faults) for one in tallies)
    run = sum(one.run for one in tallies)
    refused = sum(one.refused.total() for one in tallies)
    others = sum(one.not_chosen for one in tallies)
    names = len({one.name for one in tallies})
    print(
        f"{names} functions: {run} samples run, {faults} differ, {refused} refused, "
        f"{others} more of the same forms not chosen"
    )
    return int(faults > 0)


def _row(tally: Tally) -> str:
    why = "; ".join(f"{count} {reason.value}" for reason, count in tally.refused.items())
    return _ROW.format(
        tally.name, tally.dtype, tally.generated, tally.run, tally.not_chosen,
        tally.refused.total(), f"{tally.worst_ulp:.3g}", why,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
