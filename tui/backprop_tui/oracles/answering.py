"""Where something is asked about a trace: what it says, or why it has nothing to say.

Oracles and readers are many, and a trace can be anything. What one of them raises is its own
failure, told where its answer would stand; the others, the next scenario and the screen go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from backprop_engine.budget import LimitError, StoppedError
from backprop_engine.trace.abilities import MissingError
from backprop_tui.oracles.report import Failed

Answer = TypeVar("Answer")

REMEDY: Final = "Everything else works without it."
_FAULT: Final = f"That is a fault of backprop-tui's, not of the program. {REMEDY}"

LOG: Final = logging.getLogger(__name__)
"""The traceback of what was not foreseen, for those who look for it; shown to nobody else."""
LOG.addHandler(logging.NullHandler())


def answer_of(who: str, ask: Callable[[], Answer]) -> Answer | Failed:
    """What `ask` gives, or, whatever it raises, why `who` (at a sentence's start) fails.

    Only StoppedError is raised.
    """
    try:
        return ask()
    except StoppedError:
        raise  # nobody wants an answer
    except MissingError as error:
        return Failed.without(error.missing)
    except MemoryError:
        return Failed(f"{who} ran out of memory over this program.", REMEDY)
    except LimitError as error:
        return Failed(f"{who} stopped at a limit: {_words(error)}.", REMEDY)
    except Exception as error:
        LOG.exception("%s failed", who)
        said = f": {_words(error)}" if _words(error) else ""
        return Failed(f"{who} broke off with {type(error).__name__}{said}.", _FAULT)


def _words(error: Exception) -> str:
    """What an error says, in one line without a full stop."""
    return " ".join(str(error).split()).rstrip(".")
