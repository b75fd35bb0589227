"""The atheris target: `make fuzz` knocks at one door, or at all of them, until it is stopped.

The first byte chooses the door, the rest is the text. What is found belongs into `found.txt`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import atheris

os.environ.update(BACKPROP_MEMORY_GB="0.2", BACKPROP_SECONDS="5")

with atheris.instrument_imports(include=["backprop_engine", "backprop_tui", "lark", "ruamel"]):
    from tests.fuzz.doors import DOORS, MAX_LENGTH

NAMES = tuple(DOORS)


_DTYPES = {"keys": "int32", "kinds": "uint8", "numbers": "float64", "codes": "uint16"}
_NONE = {name: {"<array>": [dtype, 0]} for name, dtype in _DTYPES.items()}
_NOTHING = {**_NONE, "others": []}
_REPLY = {"passes": [], "values": _NOTHING, "grad_fns": {**_NONE, "names": []}, "version": "2"}


def knock(data: bytes) -> None:
    """One try; whatever it raises is a finding."""
    if data:
        DOORS[NAMES[data[0] % len(NAMES)]](data[1:].decode("utf-8", "surrogateescape"))


def write_corpus(folder: Path) -> None:
    """What to start from: the scenarios, and the table of bad ones."""
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(__file__).parents[2]
    texts = [("document", path.read_text("utf-8")) for path in root.glob("scenarios/**/*.yaml")]
    entries = (root / "tests/engine/bad_scenarios.txt").read_text("utf-8").split("==== ")[1:]
    for entry in entries:
        text, _, printed = entry.partition("\n")[2].partition("\n----\n")
        texts.append(("shorthand" if printed.startswith("<-e>") else "document", text))
    texts += [
        ("condition", "abs(grad) > 10 & isnan(value).any()"),
        ("watch", "(h.grad ** 2).sum()"),
    ]
    texts += [("reply", json.dumps(_REPLY))]
    for number, (door, text) in enumerate(texts):
        data = bytes([NAMES.index(door)]) + text.encode()
        (folder / f"{number:04}").write_bytes(data)


if __name__ == "__main__":
    corpus = Path(sys.argv[1])
    write_corpus(corpus)
    atheris.Setup([*sys.argv, f"-max_len={MAX_LENGTH}"], knock)
    atheris.Fuzz()
