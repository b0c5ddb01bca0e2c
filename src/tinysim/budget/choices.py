"""How a model is compiled and run, as a file of budgets says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinysim.problems import Problems, near
from tinysim.toml_lines import Path

#: Key of the file -> keyword argument of ``tinysim.run``.
CHOICES = {
    "optimize": "optimize",
    "planner": "planner",
    "rounding": "rounding",
    "patches": "patches",
    "sparse": "sparse",
    "keep-constant-channels": "keeps_constant_channels",
    "tune": "tune",
    "fidelity": "fidelity",
}


def read_choices(table: Mapping[str, Any], path: Path, problems: Problems) -> dict[str, Any]:
    """Return the choices of a table as keyword arguments."""
    written = {key: table[key] for key in CHOICES if key in table}
    if not written:
        return {}
    allowed = _allowed()
    for key, value in written.items():
        known = allowed[key]
        if not any(type(value) is type(one) and value == one for one in known):
            shown = [str(one).lower() for one in known]
            problems.add((*path, key), f"{value!r} is not known, {near(str(value), shown)}")
    return {CHOICES[key]: value for key, value in written.items()}


def _allowed() -> dict[str, tuple[object, ...]]:
    from tinysim.compiler.memory import PLANNERS
    from tinysim.compiler.passes.rounding import ROUNDINGS
    from tinysim.compiler.toolchain import OPTIMIZE_FLAGS
    from tinysim.compiler.variants import SPARSE

    return {
        "optimize": tuple(OPTIMIZE_FLAGS),
        "planner": PLANNERS,
        "rounding": tuple(ROUNDINGS),
        "patches": (True, False),
        "sparse": SPARSE,
        "keep-constant-channels": (True, False),
        "tune": (True, False),
        "fidelity": (1, 2, 3),
    }
