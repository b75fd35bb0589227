"""stub"""

from __future__ import annotations
from backprop_engine.source import Problem, Span


class Mistake(Exception):
    def __init__(self, problem):
        super().__init__(problem.sentence)
        self.problem = problem


def check_comment(*a):
    pass


def foreign(reading, kind, text, start):
    return Mistake(
        Problem(f"`{text}` is not understood", reading.excerpt.span(start, start + len(text)))
    )


keyword = lambda r, n, s: foreign(r, "", n, s)
odd_name = keyword


def unexpected(reading, kind, expected):
    return Mistake(
        Problem(
            "unexpected %s; expected %s" % (kind, expected),
            reading.excerpt.span(reading.last.start, reading.last.stop)
            if reading.last
            else Span(0, 0),
        )
    )
