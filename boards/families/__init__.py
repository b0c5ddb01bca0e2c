"""Peripherals as data: one TOML file a chip family, and the loader that checks it.

A file that names another one in ``extends`` takes over its templates. Names that begin with an
underscore are such common parts, not families. The keys are explained in ``README.md`` beside them.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

from tinysim.boards.families.checks import contradictions
from tinysim.boards.families.rows import Problems, Table
from tinysim.boards.families.schema import (
    Block,
    ClockNode,
    ClockTree,
    Compare,
    CounterRole,
    DividerRole,
    Factor,
    Family,
    Interrupt,
    Register,
    Span,
    SpinlocksRole,
    UartRole,
)
from tinysim.errors import BoardError
from tinysim.problems import near

_HERE = files("tinysim.boards.families")

#: Where Arm's memory map puts peripherals; every family has this window.
PERIPHERALS = Span(0x4000_0000, 0x2000_0000)


def family_names() -> tuple[str, ...]:
    """Return the names of all families, sorted: the folder is the registry."""
    stems = (path.name[:-5] for path in _HERE.iterdir() if path.name.endswith(".toml"))
    return tuple(sorted(stem for stem in stems if not stem.startswith("_")))


@lru_cache
def load_family(name: str) -> Family:
    """Read ``boards/families/<name>.toml``.

    Raises
    ------
    BoardError
        If there is no such family, or its file breaks the schema.
    """
    if name not in family_names():
        hint = near(name, family_names())
        raise BoardError("there is no such family", where=f"family {name!r}", fix=hint)
    text, table = _read(name)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return parse_family(table, where=f"boards/families/{name}.toml", name=name, sha256=digest)


def parse_family(table: Mapping[str, Any], *, where: str, name: str, sha256: str) -> Family:
    """Turn a family's table into a ``Family``, or say everything that is wrong with it."""
    problems: Problems = []
    top = Table(table, "", problems)
    templates = top.tables("template")
    blocks = {
        key: _block(key, Table(_resolved(row, templates, key, problems), f"block.{key}", problems))
        for key, row in top.tables("block").items()
    }
    atomic, loader = top.table("atomic", None), top.table("loader", None)
    family = Family(
        name=name,
        title=top.text("title"),
        source=top.text("source"),
        blocks=blocks,
        clock=_clock(top.table("clock", {}) or Table({}, "clock", problems)),
        windows=(
            PERIPHERALS,
            *(
                _span(Table(row, f"window.{key}", problems))
                for key, row in top.tables("window").items()
            ),
        ),
        names=top.tables("map"),
        atomic=None if atomic is None else _span(atomic),
        loader=None if loader is None else _span(loader),
        sha256=sha256,
    )
    top.close()
    if not problems:
        problems += contradictions(family)
    if problems:
        raise BoardError(
            "; ".join(problems), where=where, fix="see boards/families/README.md for the keys"
        )
    return family


def _read(name: str) -> tuple[str, dict[str, Any]]:
    """Return a file's text and table, with the templates of the one that it extends."""
    text = (_HERE / f"{name}.toml").read_text(encoding="utf-8")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BoardError(
            f"not TOML: {error}", where=f"boards/families/{name}.toml", fix="mend the file"
        ) from error
    if (parent := table.pop("extends", None)) is None:
        return text, table
    parent_text, base = _read(parent)
    return parent_text + text, _merged(base, table)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one table over another, deeply."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _resolved(
    row: Mapping[str, Any], templates: Mapping[str, Any], where: str, problems: Problems
) -> dict[str, Any]:
    """Lay a block over the templates that it is like."""
    seen: list[str] = []
    resolved = dict(row)
    while (like := resolved.pop("like", None)) is not None:
        if like not in templates or like in seen:
            problems.append(f"block.{where}: like = {like!r}, which is no template")
            break
        seen.append(like)
        resolved = _merged(templates[like], resolved)
    return resolved


def _block(name: str, row: Table) -> Block:
    """Read a block."""
    irq = row.number("irq", -1)
    registers = {
        register.name: register
        for key, value in row.tables("register").items()
        for register in _registers(key, Table(value, f"{row.where}.register.{key}", row.problems))
    }
    uart, counter = row.table("uart", None), row.table("counter", None)
    divider, spinlocks = row.table("divider", None), row.table("spinlocks", None)
    interrupts = tuple(_interrupt(text, irq, row) for text in row.texts("interrupts"))
    block = Block(
        name=name,
        base=row.number("base"),
        size_bytes=row.number("size_bytes"),
        source=row.text("source"),
        registers=registers,
        interrupts=interrupts,
        uart=None if uart is None else _uart(uart),
        counter=None if counter is None else _counter(counter),
        divider=None if divider is None else _divider(divider),
        spinlocks=None if spinlocks is None else _spinlocks(spinlocks),
    )
    row.close()
    return block


def _registers(name: str, row: Table) -> list[Register]:
    """Read a register, or ``count`` like it, one behind the other: NAME0, NAME1, ..."""
    count = row.number("count", None)
    register = _register(name, row)
    if count is None or register.offset is None:
        return [register]
    first = register.offset
    return [
        replace(register, name=f"{name}{index}", offset=first + 4 * index) for index in range(count)
    ]


def _register(name: str, row: Table) -> Register:
    clear_by_zero = row.number("clear_by_zero", 0)
    register = Register(
        name=name,
        offset=row.number("offset", None),
        reset=row.number("reset", 0),
        write_mask=row.number("write_mask", 0xFFFF_FFFF) & ~clear_by_zero,
        clear_by_zero=clear_by_zero,
        reads_as=row.number("reads_as", None),
        follows=row.follows("follows", name),
        decodes=row.bits("decodes"),
        sets=row.copies("sets", name),
        clears=row.copies("clears", name),
        flips=row.copies("flips", name),
    )
    row.close()
    return register


def _interrupt(text: str, irq: int, row: Table) -> Interrupt:
    """Read ``STATUS.5&ENABLE.5``, or the same with ``@N`` for another line than the block's."""
    terms, _, own = text.partition("@")
    number = int(own) if own.isdigit() else irq
    if number < 0:
        row.problems.append(f"{row.where}: interrupt {text!r} has no irq")
    return Interrupt(number, row.terms(terms, ""))


def _uart(row: Table) -> UartRole:
    role = UartRole(
        tx=row.text("tx"),
        rx=row.text("rx"),
        rx_ready=row.bit_list("rx_ready"),
        sent=row.bit_list("sent"),
        rx_enable=row.bit_list("rx_enable"),
    )
    row.close()
    return role


def _counter(row: Table) -> CounterRole:
    compare = []
    for value in row.rows("compare"):
        compare.append(
            Compare(value.text("register"), value.needed_bits("flag"), value.bits("enable"))
        )
        value.close()
    clock = row.take("clock", "")
    role = CounterRole(
        clock=clock if isinstance(clock, int) else str(clock),
        value=row.texts("value"),
        high=row.texts("high"),
        divide=row.factor("divide") or Factor(add=1),
        period=row.factor("period") or Factor(add=1 << 32),
        enable=row.bits("enable"),
        clear=row.bits("clear"),
        overflow=row.bits("overflow"),
        tick=row.bits("tick"),
        capture={key: str(value) for key, value in row.tables("capture").items()},
        compare=tuple(compare),
    )
    row.close()
    return role


def _divider(row: Table) -> DividerRole:
    role = DividerRole(
        unsigned_dividend=row.text("unsigned_dividend"),
        unsigned_divisor=row.text("unsigned_divisor"),
        signed_dividend=row.text("signed_dividend"),
        signed_divisor=row.text("signed_divisor"),
        quotient=row.text("quotient"),
        remainder=row.text("remainder"),
        dirty=row.needed_bits("dirty"),
    )
    row.close()
    return role


def _spinlocks(row: Table) -> SpinlocksRole:
    role = SpinlocksRole(first=row.text("first"), count=row.number("count"))
    row.close()
    return role


def _clock(row: Table) -> ClockTree:
    """Read the clock tree: every table in it is a node."""
    nodes = {}
    for key, value in row.tables("node").items():
        node = Table(value, f"clock.node.{key}", row.problems)
        nodes[key] = ClockNode(
            name=key,
            hz=node.listed("hz"),
            inputs=node.texts("from"),
            select=node.bits("select"),
            multiply=node.factors("multiply"),
            divide=node.factors("divide"),
        )
        node.close()
    tree = ClockTree(
        core=row.text("core"),
        nodes=nodes,
        source=row.text("source"),
        wait_states=row.bits("wait_states"),
        hse_hz=row.number("hse_hz", None),
    )
    row.close()
    return tree


def _span(row: Table) -> Span:
    span = Span(row.number("base"), row.number("size_bytes"), row.text("source"))
    row.close()
    return span
