"""Comments that hide findings, and those that no longer do.

`# autofix: ignore[AG101]  reason` or `# autofix: ignore[rule-name, AG102]` stands behind the first
or last line of what it hides, or alone above it. `# autofix: file-ignore[...]` stands anywhere.
`# noqa: AG101` is read as well. There is no form that hides everything.
"""

from __future__ import annotations

import io
import re
import tokenize
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

from autofix.model import Applicability, Edit, Finding, Fix
from autofix.source import Source

UNUSED_CODE = "AG901"
UNUSED_NAME = "unused-ignore"
UnusedIgnore: TypeAlias = Finding

_ANY = re.compile(r"autofix\s*:|noqa", re.IGNORECASE)
_OURS = re.compile(
    r"#\s*autofix\s*:\s*(?P<form>file-ignore|ignore)(?![\w-])[ \t]*(?:\[(?P<labels>[^\]#]*)\])?",
    re.IGNORECASE,
)
_NOQA = re.compile(r"#\s*noqa\s*:\s*(?P<labels>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)", re.IGNORECASE)
# Another comment behind ours, such as `# type: ignore`; the `#12` of a reason is none.
_NEXT = re.compile(r"[ \t]+(?=#(?![0-9]))")
_QUIET = frozenset(
    (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
)


@dataclass(frozen=True, slots=True)
class _Comment:
    row: int
    start: int
    text: str
    alone: bool

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class _Ignore:
    """One directive. Offsets count in the module text."""

    comment: _Comment
    match: re.Match[str]
    rows: Collection[int] | None
    """Where a finding has to start to be hidden; None means anywhere."""

    @property
    def ours(self) -> bool:
        return self.match.re is _OURS

    @property
    def labels(self) -> list[str]:
        return re.split(r"[,\s]+", (self.match["labels"] or "").strip(", \t"))

    @property
    def start(self) -> int:
        return self.comment.start + self.match.start()

    @property
    def end(self) -> int:
        """The end of the reason, which is that of the comment or where another one starts."""
        following = _NEXT.search(self.comment.text, self.match.end())
        return self.comment.start + (following.start() if following else len(self.comment.text))

    @property
    def last_row(self) -> int | None:
        """Where a finding may also end to be hidden."""
        return None if self.comment.alone or self.rows is None else self.comment.row

    def names(self, finding: Finding) -> list[str]:
        """The labels that mean the finding's rule."""
        names = (finding.rule.lower(), finding.name.lower())
        return [label for label in self.labels if label.lower() in names]


@dataclass(frozen=True, slots=True)
class _Index:
    """Directives by the rows they speak of."""

    anywhere: list[_Ignore]
    first: dict[int, list[_Ignore]]
    last: dict[int, list[_Ignore]]

    def hiding(self, finding: Finding, first: int, last: int) -> set[tuple[int, str]]:
        """Where the directives start that hide a finding on these rows, and by which label."""
        candidates = (*self.anywhere, *self.first.get(first, ()), *self.last.get(last, ()))
        return {(ignore.start, label) for ignore in candidates for label in ignore.names(finding)}


def apply_ignores(
    source: Source,
    findings: Sequence[Finding],
    active: Collection[str],
    known: Collection[str] | None = None,
) -> tuple[list[Finding], list[Finding], tuple[UnusedIgnore, ...]]:
    """Findings kept, findings hidden, and findings about comments that hide nothing.

    `active` holds the codes and names of the rules that ran: only for those can a comment be
    called unused. `known` holds those of all rules; without it no label is called unknown.
    """
    if not _ANY.search(source.text):
        return list(findings), [], ()
    ignores = list(_ignores(source))
    index = _index(ignores)
    used: dict[int, set[str]] = {}
    kept: list[Finding] = []
    hidden: list[Finding] = []
    for finding in findings:
        first, last = source.line_of(finding.start), source.line_of(finding.end)
        by = index.hiding(finding, first, last)
        for start, label in by:
            used.setdefault(start, set()).add(label)
        (hidden if by else kept).append(finding)
    ran = {label.lower() for label in active}
    real = None if known is None else {label.lower() for label in known} | ran
    unused: list[UnusedIgnore] = []
    for ignore in ignores:
        if ignore.ours:
            unused += _reports(source, ignore, used.get(ignore.start, set()), ran, real)
    return kept, hidden, tuple(unused)


def _index(ignores: Sequence[_Ignore]) -> _Index:
    index = _Index([], {}, {})
    for ignore in ignores:
        if ignore.rows is None:
            index.anywhere.append(ignore)
        for row in ignore.rows or ():
            index.first.setdefault(row, []).append(ignore)
        if ignore.last_row:
            index.last.setdefault(ignore.last_row, []).append(ignore)
    return index


def _reports(
    source: Source, ignore: _Ignore, used: set[str], ran: set[str], real: set[str] | None
) -> Iterator[UnusedIgnore]:
    form = ignore.match["form"].lower()
    if not ignore.match["labels"] or not ignore.match["labels"].strip(", \t"):
        message = f"`autofix: {form}` hides nothing unless it names rules: `{form}[AG101]`"
        yield _finding(ignore, message)
        return
    idle = [s for s in ignore.labels if s not in used and s.lower() in ran]
    if idle:
        names = ", ".join(f"`{label}`" for label in idle)
        fix = Fix(Applicability.SAFE, (_removal(source, ignore, idle),))
        yield _finding(ignore, f"`autofix: {form}` of {names} hides nothing", fix)
    for label in ignore.labels:
        if real is not None and label.lower() not in real:
            close = get_close_matches(label.lower(), sorted(real), 1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
            yield _finding(ignore, f"`autofix: {form}` of an unknown rule `{label}`{hint}")


def _finding(ignore: _Ignore, message: str, fix: Fix | None = None) -> Finding:
    return Finding(UNUSED_CODE, UNUSED_NAME, message, ignore.start, ignore.end, fix)


def _removal(source: Source, ignore: _Ignore, idle: Sequence[str]) -> Edit:
    """Take the idle labels out of the list, or the directive away if none is left."""
    kept = [label for label in ignore.labels if label not in idle]
    comment = ignore.comment
    if kept:
        start, end = ignore.match.span("labels")
        return Edit(comment.start + start, comment.start + end, ", ".join(kept))
    start, end = ignore.start, ignore.end
    if end < comment.end:
        end += len(source.text[end : comment.end]) - len(source.text[end : comment.end].lstrip())
        return Edit(start, end, "")
    if comment.alone and start == comment.start:
        return _line(source, comment)
    start = len(source.text[:start].rstrip(" \t"))
    return Edit(start, end, "")


def _line(source: Source, comment: _Comment) -> Edit:
    """Delete the line of a comment, with a newline that is in the file."""
    start, end = source.line_starts[comment.row - 1], comment.end
    if end < len(source.text) and end not in source.seams:
        return Edit(start, source.line_starts[comment.row], "")
    if start and start - 1 not in source.seams:
        start -= 2 if source.text.endswith("\r\n", 0, start) else 1
    return Edit(start, end, "")


def _ignores(source: Source) -> Iterator[_Ignore]:
    comments, statements = _scan(source)
    alone = {comment.row for comment in comments if comment.alone}
    for comment in comments:
        for match in _OURS.finditer(comment.text):
            anywhere = match["form"].lower() == "file-ignore"
            rows = None if anywhere else _covered(comment, alone, statements)
            yield _Ignore(comment, match, rows)
        if not comment.alone:
            for match in _NOQA.finditer(comment.text):
                yield _Ignore(comment, match, (comment.row,))


def _covered(
    comment: _Comment, alone: set[int], statements: Sequence[tuple[int, int]]
) -> Collection[int]:
    """The rows where what a comment hides may start."""
    if not comment.alone:
        return (comment.row,)
    row = comment.row + 1
    while row in alone:
        row += 1
    at = bisect_right(statements, row, key=lambda rows: rows[0]) - 1
    first, last = statements[at] if at >= 0 else (0, 0)
    if first == row:
        return range(first, last + 1)
    return (row,) if row <= last else ()


def _scan(source: Source) -> tuple[list[_Comment], list[tuple[int, int]]]:
    """All comments, and the first and last row of each logical line."""
    comments: list[_Comment] = []
    statements: list[tuple[int, int]] = []
    first: int | None = None
    for token in tokens(source.text):
        row, column = token.start
        if token.type == tokenize.COMMENT:
            start = source.line_starts[row - 1] + column
            before = source.text[source.line_starts[row - 1] : start]
            comments.append(_Comment(row, start, token.string, not before.strip()))
        if token.type == tokenize.NEWLINE and first is not None:
            statements.append((first, row))
            first = None
        elif first is None and token.type not in _QUIET:
            first = row
    return comments, statements


def tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """The tokens of a text that parses."""
    # `tokenize` splits at `\n` only; rows and columns stay the same.
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        yield from tokenize.generate_tokens(io.StringIO(plain).readline)
    except (tokenize.TokenError, SyntaxError):
        # The text parses, or nothing would have been found in it: keep what was read.
        return
