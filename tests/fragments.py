"""A fragment is a piece of its page, byte for byte."""

import re
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


def assert_same_fragment(page: str, fragment: str) -> None:
    """The fragment's root element equals the element with the same id on a fresh page. Out-of-band parts are not part of it.

    Compared without the CSRF token, which differs by design, and without white space around lines.
    """
    root_id = re.search(r'<[a-z]+[^>]*?\sid="([^"]+)"(?![^>]*hx-swap-oob)', fragment)
    assert root_id, "the fragment has no root with an id of its own"
    assert plain(element(page, root_id[1])) == plain(element(fragment, root_id[1]))


def element(html: str, element_id: str) -> str:
    """The source of the one element with this id."""
    finder = _Finder(element_id)
    finder.feed(html)
    assert len(finder.found) == 1, f"{len(finder.found)} elements with id {element_id!r}"
    start, end = finder.found[0]
    lines = html.splitlines(keepends=True)
    return html[_offset(lines, start) : _offset(lines, end)]


def plain(html: str) -> str:
    html = re.sub(r'(name="csrfmiddlewaretoken" value=")[^"]*', r"\1", html)
    return "\n".join(line.strip() for line in html.splitlines() if line.strip())


def _offset(lines: list[str], position: tuple[int, int]) -> int:
    return sum(len(line) for line in lines[: position[0] - 1]) + position[1]


class _Finder(HTMLParser):
    def __init__(self, element_id: str) -> None:
        super().__init__()
        self.element_id = element_id
        self.found: list[tuple[tuple[int, int], tuple[int, int]]] = []
        self._open: list[tuple[str, tuple[int, int] | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self._open.append((tag, self.getpos() if ("id", self.element_id) in attrs else None))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """`<path/>`: nothing opens."""

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            opened, start = self._open.pop()
            if start is not None:
                line, column = self.getpos()
                self.found.append((start, (line, column)))
            if opened == tag:
                break
