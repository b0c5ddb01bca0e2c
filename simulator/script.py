r"""A conversation over the UART, as a list of steps.

A script is lines of text; empty lines and those that begin with ``#`` say nothing::

    wait m-ready          run until the firmware has printed this
    send name%            type this (escapes: \n \r \t \xNN)
    expect m-name         the same; reads better behind a send
    run 0.5               let this many seconds of simulated time pass
    timeout 2             seconds of simulated time that the next steps may take each
"""

from __future__ import annotations

from dataclasses import dataclass

from tinysim.errors import SimulationError
from tinysim.simulator.places import unescaped

DEFAULT_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Step:
    """Something to send or to wait for (``text``), or time to let pass (``timeout_s``)."""

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
        if verb in ("timeout", "run"):
            try:
                duration_s = float(rest)
            except ValueError:
                problems.append(f"line {number}: {rest!r} is no number of seconds")
                continue
            if verb == "run":
                steps.append(Step(verb, b"", duration_s, number))
            else:
                timeout_s = duration_s
        elif verb in ("wait", "send", "expect"):
            try:
                steps.append(Step(verb, unescaped(rest), timeout_s, number))
            except UnicodeError:
                problems.append(f"line {number}: {rest!r} is not bytes with escapes")
        else:
            problems.append(f"line {number}: {verb!r} is not wait, send, expect, run or timeout")
    if problems:
        raise SimulationError("; ".join(problems), where=where, fix="see docs/firmware.md")
    return tuple(steps)
