"""Torch's own test inputs, as lines in our language: the same values and gradients as torch.

One function: `pytest tests/catalogue -k softmax`. All, as a table: `make samples`.
"""

from __future__ import annotations

import pytest
from tests.catalogue.database import DTYPES, every_name, shared
from tests.catalogue.refusals import NOT_IN_DATABASE, REFUSED
from tests.catalogue.running import Tally, operations_of, run_entry

from backprop_engine.catalogue import OPERATIONS


@pytest.mark.parametrize("name", shared())
def test_torchs_own_samples_give_torchs_values_and_gradients(name: str) -> None:
    tallies = [run_entry(shared()[name], dtype) for dtype in DTYPES]
    faults = [fault for tally in tallies for fault in tally.faults]
    assert not faults, f"{len(faults)} samples differ:\n" + "\n".join(faults)
    assert_refusals_are_written_down(name, tallies)


def assert_refusals_are_written_down(name: str, tallies: list[Tally]) -> None:
    refused = sum((tally.refused for tally in tallies), start=tallies[0].refused.__class__())
    allowed = REFUSED.get(name, {})
    entry = ", ".join(f"{reason.name}: {count}" for reason, count in refused.items())
    said = "\n".join(text for tally in tallies for text in tally.refusals)
    assert all(count <= allowed.get(reason, 0) for reason, count in refused.items()), (
        f"samples are refused that are not written down; if that is right, then put\n"
        f'    "{name}": {{{entry}}},\ninto refusals.py. Refused are\n{said}'
    )
    # A variant may be refused as a whole if another one of the function is not.
    assert any(tally.run for tally in tallies) or any(
        run_entry(entry, "float64").run
        for other, entry in shared().items()
        if entry.name == shared()[name].name and other != name
    ), f"no sample of {name} is run"


def test_every_operation_is_in_the_database_or_written_down_as_not() -> None:
    tested = {operation for entry in shared().values() for operation in operations_of(entry)}
    assert {name for name in OPERATIONS if name not in tested} == set(NOT_IN_DATABASE)


def test_every_written_down_refusal_is_of_a_function_in_the_database() -> None:
    assert set(REFUSED) <= every_name()
