"""Cores as data: one TOML file of costs per instruction class, and its strict loader."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from tinysim.errors import SimulationError
from tinysim.firmware import Target
from tinysim.simulator.decode import CLASSES

_HERE = files("tinysim.simulator.cores")


@dataclass(frozen=True)
class Cost:
    """What an instruction class costs, with zero wait states.

    ``cycles`` is the whole instruction alone (not taken, if it is a branch), ``taken_cycles`` the
    same when it is taken, ``per_register`` comes on top for each register transferred.
    ``cycles_max`` says that the manual gives a range that starts at ``cycles``; the middle is
    charged until operands are looked at. ``latency_cycles`` is when a result can be used,
    ``unit`` the one pipe it needs; a class that does not ``pair`` issues alone, one that is
    ``older_only`` cannot be the second of a pair.
    """

    cycles: int
    source: str
    per_register: float = 0
    taken_cycles: int | None = None
    cycles_max: int | None = None
    latency_cycles: int = 1
    unit: str = ""
    pairs: bool = True
    older_only: bool = False

    @property
    def charged_cycles(self) -> int:
        """The figure used where the manual gives a range: its middle."""
        return self.cycles if self.cycles_max is None else (self.cycles + self.cycles_max) // 2


@dataclass(frozen=True)
class Rule:
    """A mechanism that the core has, and what it costs or saves; see ``simulator/pipeline.py``."""

    cycles: int
    source: str


@dataclass(frozen=True)
class Accuracy:
    """How well the core's table is known before anything was measured."""

    error_low: float
    error_high: float
    source: str


@dataclass(frozen=True)
class Exceptions:
    """What entering and leaving exceptions costs, and how finely they are ranked."""

    priority_bits: int
    entry_cycles: int
    exit_cycles: int
    tail_chain_cycles: int
    source: str


@dataclass(frozen=True)
class Core:
    """A processor core: its timing and what the tools must know of it.

    ``engine`` is the emulator's CPU model, ``pipeline`` the function in ``pipeline.py``.
    """

    name: str
    title: str
    engine: str
    pipeline: str
    cpuid: int
    issue_width: int
    target: Target
    exceptions: Exceptions
    accuracy: Accuracy
    costs: Mapping[str, Cost]
    rules: Mapping[str, Rule]
    sha256: str

    @property
    def is_v6(self) -> bool:
        """Whether it is an Armv6-M core: no IT, no masks but PRIMASK."""
        return self.engine == "UC_CPU_ARM_CORTEX_M0"

    @property
    def is_v8(self) -> bool:
        """Whether it is an Armv8-M core."""
        return self.engine == "UC_CPU_ARM_CORTEX_M33"

    @property
    def has_dsp(self) -> bool:
        """Whether it has the DSP instructions."""
        return "simd" in self.costs

    def rule_cycles(self, name: str) -> int | None:
        """Return what a mechanism costs, or None if this core does not have it."""
        rule = self.rules.get(name)
        return None if rule is None else rule.cycles


def core_names() -> tuple[str, ...]:
    """Return the names of all cores, sorted."""
    return tuple(sorted(path.name[:-5] for path in _HERE.iterdir() if path.name.endswith(".toml")))


@lru_cache
def load_core(name: str) -> Core:
    """Read ``simulator/cores/<name>.toml``.

    Raises
    ------
    SimulationError
        If there is no such core, or its file breaks the schema.
    """
    if name not in core_names():
        raise SimulationError(
            "there is no such core", where=f"core {name}", fix=f"known: {', '.join(core_names())}"
        )
    text = (_HERE / f"{name}.toml").read_text(encoding="utf-8")
    return parse_core(text, f"simulator/cores/{name}.toml")


def parse_core(text: str, where: str) -> Core:
    """Turn a core's file into a ``Core``; unknown and missing keys, or no source, are errors.

    A file that names another core in ``extends`` starts from that one, leaves out the classes in
    ``without``, and says only what differs.
    """
    try:
        text, table = _merged(text)
        core = Core(
            **table.pop("core"),
            target=Target(**table.pop("target")),
            exceptions=Exceptions(**table.pop("exceptions")),
            accuracy=Accuracy(**table.pop("accuracy")),
            costs={key: Cost(**row) for key, row in table.pop("cost").items()},
            rules={key: Rule(**row) for key, row in table.pop("rule", {}).items()},
            sha256=hashlib.sha256(text.encode()).hexdigest(),
        )
    except (TypeError, KeyError, tomllib.TOMLDecodeError) as error:
        raise SimulationError(
            str(error).replace("__init__() ", ""), where=where, fix="mend the core's file"
        ) from error
    rows: dict[str, Cost | Rule] = {**core.costs, **core.rules}
    wrong = [f"unknown table {key!r}" for key in table]
    wrong += [f"{key} has no source" for key, row in rows.items() if not row.source.strip()]
    wrong += [f"unknown instruction class {key!r}" for key in core.costs.keys() - set(CLASSES)]
    wrong += [f"unknown rule {key!r}" for key in core.rules.keys() - set(RULES)]
    if wrong:
        raise SimulationError("; ".join(wrong), where=where, fix="mend the core's file")
    return core


def _merged(text: str) -> tuple[str, dict[str, Any]]:
    """Return a core's text and table, laid over those of the core that it extends."""
    table: dict[str, Any] = tomllib.loads(text)
    if (parent := table.pop("extends", None)) is None:
        return text, table
    parent_text, base = _merged((_HERE / f"{parent}.toml").read_text(encoding="utf-8"))
    for kind in table.pop("without", ()):
        del base["cost"][kind]
    for key, rows in table.items():
        base[key] = base.get(key, {}) | rows
    return parent_text + text, base


#: Mechanisms that a core can turn on.
RULES = (
    "address_dependency",
    "divide_early",
    "it_after_narrow",
    "late_alu",
    "mispredicted_branch",
    "load_after_load",
    "fp_result_use",
    "narrow_branch_pairs",
    "not_taken_wide_branch",
    "store_offset_after_load",
    "unaligned_access",
    "unaligned_wide_group",
    "unaligned_wide_target",
)
