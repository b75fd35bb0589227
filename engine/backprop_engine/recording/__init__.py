"""Recordings of real PyTorch runs, read with numpy alone.

`layout.py` says how they lie in a file, `recording.py` what is in them, `trace.py` makes traces.
"""
