"""A long recording that no torch has made: a number multiplied by a weight, over and over."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backprop_recorder.writer import Writer


def write_chain(path: Path, count: int, *, ends: bool = True) -> Path:
    """The recording of `count` products in one iteration; value 0 is the number, 1 the weight."""
    writer = Writer(path)
    writer.json("start", {"torch": "2.13.0", "python": "3.11", "script": "chain.py"})
    writer.json("source", {"file": "chain.py", "text": "for _ in range(n):\n    x = x * w\n"})
    strings = {
        "sites": [["chain.py", "<module>", 2, 2, 8, 13, "x"]],
        "stacks": [[0]],
        "functions": [["torch._C.TensorBase", "mul"]],
        "shapes": [[[]]],
        "templates": ["{0} * {1}"],
        "names": [[0, "x"], [1, "w"]],
    }
    writer.json("strings", strings)
    numbers = np.arange(count)
    values = 2 + 4 * count
    writer.table("values", _values(values), first=0, sample=64)
    made = np.where(numbers == 0, 0, numbers + 1)
    calls: dict[str, np.ndarray] = {
        "before": numbers, "after": numbers + 1, "function": np.zeros(count, np.int32),
        "stack": np.zeros(count, np.int32), "module": np.full(count, -1, np.int32),
        "template": np.zeros(count, np.int32), "flags": np.ones(count, np.uint8),
        "operand_counts": np.full(count, 2, np.int32),
        "operands": np.column_stack([made, np.ones(count, np.int64)]).reshape(-1),
        "output_counts": np.ones(count, np.int32),
        "outputs": np.column_stack([numbers + 2, np.full(count, -1), np.zeros(count, np.int64)]),
    }  # fmt: skip
    writer.table("calls", calls, first=0)
    writer.table("pass", _pass(count), index=1, iteration=0, call=count, stack=-1, loss=1.0,
                 names=["MulBackward0", "torch::autograd::AccumulateGrad"],
                 leaf_names=[[count, "w"]], missing=[])  # fmt: skip
    writer.json("end", {"faults": []})
    if ends:
        writer.close()
    return path


def _values(count: int) -> dict[str, np.ndarray]:
    return {
        "kind": np.full(count, 2, np.uint8),
        "dtype": np.ones(count, np.uint8),
        "shape": np.zeros(count, np.int32),
        "at": np.full(count, -1),
        "norm": np.ones(count),
        "extra": np.zeros((0, 6)),
        "pool": np.zeros(0, np.uint8),
    }


def _pass(count: int) -> dict[str, np.ndarray]:
    """Autograd nodes from the last product to the first, then the weight; x asks for nothing."""
    numbers = np.arange(count)
    first = 2 + count
    before = np.where(numbers == count - 1, -1, numbers + 1)
    edges = np.column_stack([before, np.zeros(count, np.int64), np.full(count, count), before * 0])
    sends = np.column_stack(
        [
            np.repeat(numbers, 2),
            np.tile([0, 1], count),
            np.column_stack([before, np.full(count, count)]).reshape(-1),
            np.zeros(2 * count, np.int64),
            first + np.arange(2 * count),
        ]
    )
    sends = sends[sends[:, 2] >= 0]
    complete = np.append(numbers, count)
    totals = np.column_stack([complete, complete * 0, np.append(first + 2 * numbers, first)])
    return {
        "kind": np.append(np.zeros(count, np.int32), np.int32(1)),
        "sequence": np.append(numbers[::-1], 2**63 - 1),
        "edge_counts": np.append(np.full(count, 2, np.int32), np.int32(0)),
        "edges": edges.reshape(-1, 2).astype(np.int32),
        "roots": np.array([[0, 0, 1 + count, first]]),
        "leaves": np.array([[count, 1, first]]),
        "sends": sends,
        "totals": totals,
        "made": np.zeros((0, 2), np.int64),
    }
