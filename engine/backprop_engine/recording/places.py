"""Parts of the person's own files."""

from __future__ import annotations

from pathlib import PurePath

from backprop_engine.basics.source import Place, Source, Span
from backprop_engine.recording.recording import Recording, Site


class Places:
    """Parts of the person's own files."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        folder = PurePath(recording.start.script).parent
        self._sources = {
            file: Source(short(file, folder), text) for file, text in recording.sources.items()
        }
        self._starts: dict[str, list[int]] = {}
        self._found: dict[int, Place | None] = {}

    def files(self, script: str) -> tuple[Source, ...]:
        """All texts, that of the script first."""
        ordered = sorted(self._sources, key=lambda file: file != script)
        return tuple(self._sources[file] for file in ordered)

    def of(self, stack: int) -> Place | None:
        """The innermost place of a stack; None where its text is not known."""
        if stack not in self._found:
            site = self._recording.site(stack)
            self._found[stack] = None if site is None else self._place(site)
        return self._found[stack]

    def _place(self, site: Site) -> Place | None:
        source = self._sources.get(site.file)
        if source is None:
            return None
        starts = self._starts.setdefault(site.file, _line_starts(source.text))
        if not 1 <= site.line <= len(starts):
            return None
        end = site.end_line or site.line
        if site.column is None or site.end_column is None or not site.line <= end <= len(starts):
            line = source.line(site.line)
            start = starts[site.line - 1] + len(line) - len(line.lstrip())
            return Place(source, Span(start, starts[site.line - 1] + len(line)))
        start = starts[site.line - 1] + _characters(source.line(site.line), site.column)
        stop = starts[end - 1] + _characters(source.line(end), site.end_column)
        return Place(source, Span(start, max(start, stop)))


def _line_starts(text: str) -> list[int]:
    return [0, *(at + 1 for at, character in enumerate(text) if character == "\n")]


def _characters(line: str, column: int) -> int:
    """A column in bytes as one in characters."""
    return len(line.encode()[: max(column, 0)].decode(errors="ignore"))


def short(file: str, folder: PurePath) -> str:
    """A file as it is seen from the script's folder, or else with the folder it is in."""
    path = PurePath(file)
    if path.is_absolute() and folder.is_absolute() and path.is_relative_to(folder):
        return str(path.relative_to(folder))
    return "/".join(path.parts[-2:]).lstrip("/")
