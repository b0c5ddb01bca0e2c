r"""A conversation over the UART, as a list of steps.

A script is lines of text; empty lines and those that begin with ``#`` say nothing::

    wait m-ready          run until the firmware has printed this
    send name%            type this (escapes: \n \r \t \xNN)
    expect m-name         as wait, but an error if it does not come within the time
    timeout 2             seconds of simulated time that the next steps may take each
"""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.errors import SimulationError

DEFAULT_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Step:
    """Something to send (``text`` after ``wait_for`` was seen), or to wait for."""

    verb: str
    text: bytes
    timeout_s: float
    line: int


def parse_script(source: str, where: str) -> tuple[Step, ...]:
    """Read a script; every line that makes no sense is told, at once."""
    steps, problems = [], []
    timeout_s = DEFAULT_TIMEOUT_S
    for number, line in enumerate(source.splitlines(), start=1):
        verb, _, rest = line.strip().partition(" ")
        if not verb or verb.startswith("#"):
            continue
        if verb == "timeout":
            try:
                timeout_s = float(rest)
            except ValueError:
                problems.append(f"line {number}: {rest!r} is no number of seconds")
        elif verb in ("wait", "send", "expect"):
            try:
                text = rest.encode("latin-1").decode("unicode_escape").encode("latin-1")
                steps.append(Step(verb, text, timeout_s, number))
            except UnicodeError:
                problems.append(f"line {number}: {rest!r} is not bytes with escapes")
        else:
            problems.append(f"line {number}: {verb!r} is not wait, send, expect or timeout")
    if problems:
        raise SimulationError("; ".join(problems), where=where, fix="see docs/firmware.md")
    return tuple(steps)
