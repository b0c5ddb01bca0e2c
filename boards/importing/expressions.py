"""Linker expressions: numbers with K and M, symbols, operators, ORIGIN() and LENGTH().

Precedence climbing over tokens; it stops at the first token that cannot belong to the expression,
because in MEMORY nothing else separates a length from the next region.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9A-Fa-f]+[KkMm]?|[0-9]+[KkMm]?)(?![\w.$])"
    r"|(?P<word>[A-Za-z_.$][\w.$]*)"
    r"|(?P<sign><<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>?:()=,;])"
    r"|(?P<other>\S))"
)
_SUFFIX = {"K": 1 << 10, "M": 1 << 20}
_VALUE_MAX = 1 << 64
_DEPTH_MAX = 64


class ExpressionError(Exception):
    """An expression that cannot be evaluated, with its line."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(f"line {line}: {what}")


@dataclass(frozen=True)
class Token:
    """A number, word or sign, and its line."""

    kind: str
    text: str
    line: int


END = Token("end", "the end", 0)


def tokens(text: str, line: int) -> list[Token]:
    """Split text, which begins in a line, into tokens."""
    found, at = [], 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        line += text.count("\n", at, match.start(kind))
        at = match.start(kind)
        found.append(Token(kind, match[kind], line))
    return found


def _divided(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _truth(compare: Callable[[int, int], bool]) -> Callable[[int, int], int]:
    return lambda left, right: int(compare(left, right))


#: Sign -> how tightly it binds, and what it does.
_BINARY: dict[str, tuple[int, Callable[[int, int], int]]] = {
    "||": (1, lambda left, right: int(bool(left) or bool(right))),
    "&&": (2, lambda left, right: int(bool(left) and bool(right))),
    "|": (3, operator.or_),
    "^": (4, operator.xor),
    "&": (5, operator.and_),
    "==": (6, _truth(operator.eq)),
    "!=": (6, _truth(operator.ne)),
    "<": (7, _truth(operator.lt)),
    ">": (7, _truth(operator.gt)),
    "<=": (7, _truth(operator.le)),
    ">=": (7, _truth(operator.ge)),
    "<<": (8, operator.lshift),
    ">>": (8, operator.rshift),
    "+": (9, operator.add),
    "-": (9, operator.sub),
    "*": (10, operator.mul),
    "/": (10, _divided),
    "%": (10, lambda left, right: left - right * _divided(left, right)),
}
_UNARY: dict[str, Callable[[int], int]] = {
    "-": operator.neg,
    "+": operator.pos,
    "~": operator.invert,
    "!": lambda value: int(not value),
}

#: A function of a linker script: its name and argument -> value, or None if it has none.
Function = Callable[[str, str], int | None]


class Reader:
    """Reads tokens one after the other, and expressions among them."""

    def __init__(
        self, found: Sequence[Token], symbols: Mapping[str, int], function: Function
    ) -> None:
        self._tokens, self._at, self._depth = found, 0, 0
        self._symbols, self._function = symbols, function

    @property
    def next(self) -> Token:
        """The next token."""
        return self._tokens[self._at] if self._at < len(self._tokens) else END

    def take(self, *texts: str) -> Token:
        """Take the next token, which must be one of these if any are given."""
        token = self.next
        if token is END or (texts and token.text not in texts):
            wanted = " or ".join(texts) or "more"
            raise ExpressionError(f"needs {wanted}, not {token.text}", self._line)
        self._at += 1
        return token

    def value(self) -> int:
        """Read an expression."""
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise ExpressionError("is nested too deeply", self._line)
        result = self._binary(1)
        if self.next.text == "?":
            self.take()
            if_true = self.value()
            self.take(":")
            if_false = self.value()
            result = if_true if result else if_false
        self._depth -= 1
        return result

    @property
    def _line(self) -> int:
        """Line of the next token, or of the last."""
        if self.next is not END:
            return self.next.line
        return self._tokens[-1].line if self._tokens else 0

    def _binary(self, least: int) -> int:
        left = self._operand()
        while (token := self.next).text in _BINARY and _BINARY[token.text][0] >= least:
            binding, compute = _BINARY[self.take().text]
            right = self._binary(binding + 1)
            if token.text in ("/", "%") and right == 0:
                raise ExpressionError("divides by zero", token.line)
            if token.text in ("<<", ">>") and not 0 <= right < 64:
                raise ExpressionError(f"shifts by {right}", token.line)
            left = compute(left, right)
            if abs(left) > _VALUE_MAX:
                raise ExpressionError("is too large", token.line)
        return left

    def _operand(self) -> int:
        signs = []
        while self.next.text in _UNARY:
            signs.append(_UNARY[self.take().text])
        token = self.take()
        if token.kind == "number":
            value = _number(token)
        elif token.text == "(":
            value = self.value()
            self.take(")")
        elif token.kind == "word" and self.next.text == "(":
            self.take()
            argument = self.take().text
            self.take(")")
            value = self._known(self._function(token.text, argument), token, f"({argument})")
        elif token.kind == "word":
            value = self._known(self._symbols.get(token.text), token, "")
        else:
            raise ExpressionError(f"needs a number, not {token.text}", token.line)
        for sign in reversed(signs):
            value = sign(value)
        return value

    def _known(self, value: int | None, token: Token, argument: str) -> int:
        if value is None:
            raise ExpressionError(f"does not know {token.text}{argument}", token.line)
        return value


def _number(token: Token) -> int:
    text, factor = token.text, 1
    if text[-1].upper() in _SUFFIX:
        text, factor = text[:-1], _SUFFIX[text[-1].upper()]
    if len(text) > 24:
        raise ExpressionError("has too large a number", token.line)
    is_octal = text.startswith("0") and text.isdigit() and len(text) > 1
    try:
        return int(text, 8 if is_octal else 0) * factor
    except ValueError as error:
        raise ExpressionError(f"has {text}, which is no number", token.line) from error
