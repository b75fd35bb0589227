"""A run in one file: `lesson.py` is what there is to tell, the others how it is written down.

`contract.py` writes JSON, `page.py` a page for browsers, `solution.py` a worked solution,
`screen.py` a picture of the app.
"""
