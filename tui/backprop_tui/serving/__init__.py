"""`backprop-tui serve`: the app in a browser, for people who are not trusted with this machine.

`server.py` answers requests and `visitor.py` runs a process for each visitor; in that process
`visit.py` is **where it starts**, with the app of `app.py`, confined to what `reach.py` says.
"""
