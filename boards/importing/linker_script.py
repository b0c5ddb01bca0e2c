"""The memory that a linker script describes: MEMORY blocks, and the symbols that they use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinysim.boards.importing import Findings, FoundRegion, read_bounded, refused
from tinysim.boards.importing.expressions import END, ExpressionError, Function, Reader, tokens

_BYTES_MAX = 2**20
_REGIONS_MAX = 64
_STATEMENT_MAX = 4000
_FIX = "give a GNU linker script with a MEMORY block, as it goes to the linker"
#: What ends or opens something in a script; whatever else stands there is between them.
_PART = re.compile(r'[{};]|"[^"\n]*"|[^{};"]+|"')
_ASSIGNMENT = re.compile(r"([A-Za-z_.$][\w.$]{0,127})\s*=(?!=)\s*([^=]{1,1000})\Z")
_INCLUDE = re.compile(r"(?<![\w.$])INCLUDE(?![\w.$])")
_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(?:include|define|if|else|elif|endif|undef)", re.MULTILINE)
_ORIGINS, _LENGTHS = ("ORIGIN", "org", "o"), ("LENGTH", "len", "l")


@dataclass(frozen=True)
class _Part:
    """A statement at the top of a script, or the inside of a block, and where it begins."""

    block: str | None
    text: str
    line: int


def read_linker_script(path: Path) -> Findings:
    """Read the memory that a linker script describes.

    Raises
    ------
    BoardError
        If the script cannot be understood as it stands: every reason that was found.
    """
    content = read_bounded(path, _BYTES_MAX, "linker script")
    return parse_linker_script(content.decode("utf-8", errors="replace"), path.name)


def parse_linker_script(text: str, file_name: str) -> Findings:
    """Read a script's text; ``file_name`` stands in the sources."""
    problems: list[str] = []
    regions: dict[str, FoundRegion] = {}
    symbols: dict[str, int] = {}

    def function(name: str, argument: str) -> int | None:
        region = regions.get(argument)
        if region is None:
            return None
        if name in _ORIGINS[:1]:
            return region.base
        return region.size_bytes if name in _LENGTHS[:1] else None

    def read_region(reader: Reader) -> None:
        first = reader.take()
        attributes = ""
        if reader.next.text == "(":
            reader.take()
            while reader.next is not END and reader.next.text != ")":
                attributes += reader.take().text
            reader.take(")")
        reader.take(":")
        reader.take(*_ORIGINS)
        reader.take("=")
        base = reader.value()
        reader.take(",")
        reader.take(*_LENGTHS)
        reader.take("=")
        size = reader.value()
        if len(regions) == _REGIONS_MAX:
            raise ExpressionError(f"is more than {_REGIONS_MAX} regions", first.line)
        source = f"from {file_name}, line {first.line}"
        kind = _kind(first.text, attributes)
        regions[first.text] = FoundRegion(first.text, kind, base, size, source)

    try:
        plain = _without_comments(text)
        if (directive := _DIRECTIVE.search(plain)) is not None:
            raise ExpressionError(
                "has directives of the C preprocessor; run it first: arm-none-eabi-gcc -E -P -x c",
                plain.count("\n", 0, directive.start()) + 1,
            )
        for part in _parts(plain):
            if part.block not in (None, "MEMORY"):
                continue
            if (include := _INCLUDE.search(part.text)) is not None:
                line = part.line + part.text.count("\n", 0, include.start())
                problems.append(f"line {line}: INCLUDE is not followed: put the file's text there")
            elif part.block is None:
                _assign(part, symbols, function)
            else:
                reader = Reader(tokens(part.text, part.line), symbols, function)
                while reader.next is not END:
                    read_region(reader)
                    while reader.next.text == ";":
                        reader.take()
    except ExpressionError as error:
        problems.append(str(error))
    if not regions and not problems:
        problems.append("has no MEMORY block")
    if problems:
        raise refused(problems, file_name, _FIX)
    return Findings(tuple(regions.values()))


def _assign(part: _Part, symbols: dict[str, int], function: Function) -> None:
    """Remember a symbol; one that cannot be computed here is missed only where it is used."""
    text = part.text.strip().removesuffix(")") if "PROVIDE" in part.text else part.text
    if len(text) > _STATEMENT_MAX or (found := _ASSIGNMENT.search(text)) is None:
        return
    line = part.line + text.count("\n", 0, found.start())
    reader = Reader(tokens(found[2], line), symbols, function)
    try:
        value = reader.value()
    except ExpressionError:
        return
    if reader.next is END:
        symbols[found[1]] = value


def _kind(name: str, attributes: str) -> str:
    """Return what a region is: what can be written is RAM; without attributes its name tells."""
    plain, _, inverted = attributes.lower().partition("!")
    if "w" in plain:
        return "ram"
    if plain or inverted:
        return "flash"
    return "flash" if re.search("flash|rom|vector|text|code", name.lower()) else "ram"


def _without_comments(text: str) -> str:
    """Return a script without comments, every line where it was."""
    kept, at = [], 0
    while (start := text.find("/*", at)) >= 0:
        kept.append(text[at:start])
        end = text.find("*/", start + 2)
        if end < 0:
            raise ExpressionError("has a comment without end", text.count("\n", 0, start) + 1)
        kept.append(" " + "\n" * text.count("\n", start, end))
        at = end + 2
    return "".join(kept) + text[at:]


def _parts(text: str) -> Iterator[_Part]:
    """Split a script into statements and blocks; what a block holds is not split."""
    head, head_line, line = "", 1, 1
    block, opened, depth = "", 1, 0
    body: list[str] = []
    for match in _PART.finditer(text):
        piece = match[0]
        if piece == "{":
            if depth == 0:
                words = head.split()
                before = head[: head.rfind(words[-1])] if words else ""
                yield _Part(None, before, head_line)
                block, opened, body = words[-1] if words else "", line, []
            else:
                body.append(piece)
            depth += 1
        elif piece == "}":
            depth -= 1
            if depth < 0:
                raise ExpressionError("closes a block that is not open", line)
            if depth == 0:
                yield _Part(block, "".join(body), opened)
                head, head_line = "", line
            else:
                body.append(piece)
        elif depth:
            body.append(piece)
        elif piece == ";":
            yield _Part(None, head, head_line)
            head, head_line = "", line
        else:
            head += piece
        line += piece.count("\n")
    if depth:
        raise ExpressionError(f"does not close {block}", opened)
    yield _Part(None, head, head_line)
