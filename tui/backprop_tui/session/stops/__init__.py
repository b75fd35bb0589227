"""Breakpoints and watches: what `c` and `C` stop at, and where that is on the timeline."""
