"""Makes the page of exported lessons, one file, from its markup, style and script."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from string import ascii_lowercase

import minify

FOLDER = Path(__file__).parents[1] / "tui" / "backprop_tui" / "export" / "page"
PAGES = {"built.html": False, "quiz.html": True}
POLICY = "default-src 'none';style-src {};script-src {};base-uri 'none';form-action 'none'"


def built(*, quiz: bool) -> str:
    """The page, without a lesson. Behind `// quiz:` in its script stands what is for a quiz."""
    style, script = read("lesson.css"), read("lesson.js")
    if quiz:
        style += read("quiz.css")
        script = read("quiz.js") + script.replace("// quiz: ", "")
    style = minify.string("text/css", style)
    for at, name in enumerate(dict.fromkeys(re.findall(r"--\w+", style))):
        style = re.sub(rf"{name}\b", f"--{ascii_lowercase[at]}", style)
    # In a block, all names but those of the browser are its own, and become short.
    script = minify.string("text/javascript", f'"use strict";{{{script}}}')
    markup = re.sub(r'="([\w-]+)"(?=[ >])', r"=\1", read("lesson.html").replace("\n", ""))
    policy = f'<meta http-equiv=Content-Security-Policy content="{POLICY}">'
    policy = policy.format(hashed(style), hashed(script))
    for before, after in (
        ("<title>", f"{policy}<title>"),
        ('<link rel=stylesheet href="lesson.css">', f"<style>{style}</style>"),
        ('<script src="lesson.js"></script>', f"<script>{script}</script>"),
    ):
        markup = markup.replace(before, after)
    return markup + "\n"


def read(name: str) -> str:
    """One of the files that the page is made of."""
    return (FOLDER / name).read_text(encoding="utf-8")


def hashed(text: str) -> str:
    """What the page's policy knows a script or a style sheet by."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


if __name__ == "__main__":
    for name, is_quiz in PAGES.items():
        (FOLDER / name).write_text(built(quiz=is_quiz), encoding="utf-8")
