"""The file of budgets: ``tinysim.toml``, or ``[tool.tinysim]`` of a ``pyproject.toml``.

Every key that there is; only ``[[model]]`` with its ``path`` and ``boards`` is needed::

    strict = false              # whether what may fail (lies in the error band) fails
    baseline = "baseline"       # folder of the profiles that `regression` compares with
    optimize = "speed"          # how models are compiled and run, as options of `tinysim run`:
    planner = "search"          # also rounding, patches, sparse, tune, fidelity and
                                # keep-constant-channels

    [budget]                    # for all models on all boards
    headroom = "10 %"           # share of every memory region that must stay free
    regression = "2 %"          # cycles, ram, flash, arena, stack, energy: none may grow more

    [board.nano33ble.budget]    # for all models on one board
    latency = "100 ms"

    [[model]]
    path = "kws.tflite"         # this and all paths: from the folder of this file
    name = "keywords"           # what reports call it; its path if left out
    boards = ["nano33ble"]      # or "all"
    input = "yes.npy"           # or a list, one an input; seeded random numbers if left out
    data = "test.npz"           # arrays x and y, for accuracy
    optimize = "size"           # this model's own; so with planner and all others

    [model.budget]              # for this model on all its boards
    latency = "50 ms"           # s ms us ns
    cycles = "2 M"              # k M G, or a whole number
    energy = "1.2 mJ"           # J mJ uJ nJ
    ram = "64 KiB"              # KiB MiB GiB by 1024, kB MB GB by 1000; or bytes
    arena = "48 KiB"            # parts of it: arena, stack, static
    flash = "200 kB"            # parts of it: weights, code
    accuracy = "97 %"           # or 0.97: at least that much

    [model.budget.layers]       # by name, operator or index; *, ? and [...] as in a shell
    "CONV*" = { cycles = "500 k", latency = "8 ms", energy = "0.5 mJ" }

    [model.budget.regression]   # or by metric; one share for all holds for those without
    flash = "512 B"             # in the metric's own unit
    cycles = "1 %"              # or as a share of the baseline

A later table beats an earlier one, limit by limit: ``[budget]``, the board's, the model's. Whether
a model fits its board is always judged.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinysim import toml_lines
from tinysim.boards import board_names
from tinysim.budget import METRICS, Limit, Source
from tinysim.budget._limits import Key, read_limits
from tinysim.budget.choices import CHOICES, read_choices
from tinysim.errors import BudgetError
from tinysim.problems import Problems, near

FILE_NAMES = ("tinysim.toml", "pyproject.toml")
TABLE = ("tool", "tinysim")
_TOP_KEYS = ("strict", "baseline", "budget", "board", "model", *CHOICES)
_MODEL_KEYS = ("path", "name", "boards", "input", "data", "budget", *CHOICES)


@dataclass(frozen=True)
class ModelSettings:
    """A model, the boards that it is checked on, and how.

    ``path``, ``inputs`` and ``data`` are found from the folder of the file; ``name`` is what
    reports call the model: its ``name``, or its path as it was written. ``choices`` are keyword
    arguments of ``tinysim.run``. ``limits_by_board`` has every board of ``boards``, and ``fits``
    among the limits of each.
    """

    path: Path
    name: str
    boards: tuple[str, ...]
    inputs: tuple[Path, ...]
    data: Path | None
    choices: Mapping[str, Any]
    limits_by_board: Mapping[str, tuple[Limit, ...]]
    source: Source


@dataclass(frozen=True)
class Settings:
    """A whole file: ``baseline`` is the folder of earlier profiles, if there is one."""

    file: Path
    is_strict: bool
    baseline: Path | None
    models: tuple[ModelSettings, ...]


def find_settings(folder: Path) -> Path:
    """Return a folder's ``tinysim.toml``, or its ``pyproject.toml`` with ``[tool.tinysim]``.

    Raises
    ------
    BudgetError
        If the folder has neither; no other folder is looked at.
    """
    own, shared = (folder / name for name in FILE_NAMES)
    if own.is_file():
        return own
    if shared.is_file() and _has_table(shared):
        return shared
    raise BudgetError(
        "no tinysim.toml, nor a pyproject.toml with [tool.tinysim]",
        where=str(folder),
        fix="write one (docs/check.md shows how), or name the file",
    )


def read_settings(path: Path) -> Settings:
    """Read a file of budgets.

    Raises
    ------
    BudgetError
        With the line of everything that is wrong with it.
    """
    try:
        text = path.read_bytes().decode()
        document = tomllib.loads(text)
        lines = toml_lines.find_lines(text.replace("\r\n", "\n"))
    except OSError as error:
        why = error.strerror or str(error)
        raise BudgetError(f"cannot be read ({why})", where=str(path), fix=_NAME_ONE) from error
    except (ValueError, RecursionError) as error:
        raise _not_toml(path, error) from error
    prefix: toml_lines.Path = TABLE if path.name == FILE_NAMES[1] else ()
    for key in prefix:
        document = document.get(str(key), {}) if isinstance(document, dict) else {}
    if prefix and not document:
        raise BudgetError("no [tool.tinysim] in it", where=str(path), fix=_NAME_ONE)

    def source(at: toml_lines.Path) -> Source:
        """Return the line of a key, or of the nearest table around it."""
        at = (*prefix, *at)
        while at and at not in lines:
            at = at[:-1]
        return Source(path, lines.get(at, 1))

    problems = Problems(source)
    settings = _Reader(path, problems).read(document)
    if problems.found:
        raise _refusal(path, sorted(problems.found))
    return settings


_NAME_ONE = "name a tinysim.toml, or a pyproject.toml with [tool.tinysim]"


class _Reader:
    """Turns tables into settings; what is wrong goes to ``problems``."""

    def __init__(self, file: Path, problems: Problems) -> None:
        self.file, self.problems = file, problems

    def read(self, document: Mapping[str, Any]) -> Settings:
        """Read the whole file."""
        problems = self.problems
        self.refuse_unknown(document, (), _TOP_KEYS)
        strict = document.get("strict", False)
        if not isinstance(strict, bool):
            problems.add(("strict",), f"{strict!r} is neither true nor false")
        everywhere = read_limits(document.get("budget", {}), ("budget",), problems)
        by_board = self.by_board(problems.table(document.get("board", {}), ("board",)))
        choices = read_choices(document, (), problems)
        rows = document.get("model", [])
        if not isinstance(rows, list) or not rows:
            problems.add(("model",) if rows else (), "nothing to check; write a [[model]]")
            rows = []
        models = [
            self.model(
                problems.table(row, ("model", i)), ("model", i), everywhere, by_board, choices
            )
            for i, row in enumerate(rows)
        ]
        self.refuse_twins(models)
        baseline = self.paths(document, "baseline", (), is_list=False)
        return Settings(self.file, strict is True, baseline[0] if baseline else None, tuple(models))

    def by_board(self, table: Mapping[str, Any]) -> dict[str, dict[Key, Limit]]:
        """Read ``[board.NAME.budget]``."""
        found = {}
        for name, row in table.items():
            path = ("board", name)
            if name not in board_names():
                self.problems.add(path, f"no such board, {near(name, board_names())}")
            row = self.problems.table(row, path)
            self.refuse_unknown(row, path, ("budget",))
            found[name] = read_limits(row.get("budget", {}), (*path, "budget"), self.problems)
        return found

    def model(
        self,
        row: Mapping[str, Any],
        path: toml_lines.Path,
        everywhere: Mapping[Key, Limit],
        by_board: Mapping[str, Mapping[Key, Limit]],
        choices: Mapping[str, Any],
    ) -> ModelSettings:
        """Read one ``[[model]]``."""
        problems = self.problems
        self.refuse_unknown(row, path, _MODEL_KEYS)
        if "path" not in row:
            problems.add(path, "has no path")
        files = self.paths(row, "path", path, is_list=False)
        name = row.get("name", row.get("path"))
        if "name" in row and not (isinstance(name, str) and name.strip()):
            problems.add((*path, "name"), f"{name!r} is no name")
        boards = self.boards(row, path)
        own = read_limits(row.get("budget", {}), (*path, "budget"), problems)
        data = self.paths(row, "data", path, is_list=False)
        source = problems.source(path)
        return ModelSettings(
            path=files[0] if files else self.file.parent,
            name=str(name),
            boards=boards,
            inputs=self.paths(row, "input", path, is_list=True),
            data=data[0] if data else None,
            choices={**choices, **read_choices(row, path, problems)},
            limits_by_board={
                board: _in_order({**everywhere, **by_board.get(board, {}), **own}, source)
                for board in boards
            },
            source=source,
        )

    def boards(self, row: Mapping[str, Any], path: toml_lines.Path) -> tuple[str, ...]:
        """Read ``boards``: a list of names, a name, or all."""
        here = (*path, "boards")
        written = row.get("boards", [])
        names = written if isinstance(written, list) else [written]
        if not names:
            what = 'no board to check it on; write boards = ["nano33ble"], or "all"'
            self.problems.add(here, what)
        for i, name in enumerate(names):
            if name not in ("all", *board_names()):
                at = (*here, i) if isinstance(written, list) else here
                self.problems.add(at, f"no such board, {near(str(name), board_names())}")
        return board_names() if "all" in names else tuple(dict.fromkeys(map(str, names)))

    def paths(
        self, row: Mapping[str, Any], key: str, path: toml_lines.Path, *, is_list: bool
    ) -> tuple[Path, ...]:
        """Read a path, or a list of them, from the folder of the file."""
        written = row.get(key, [])
        parts = written if is_list and isinstance(written, list) else [written]
        if key not in row:
            return ()
        if not parts or not all(isinstance(one, str) and one.strip() for one in parts):
            what = "path, nor a list of them" if is_list else "path"
            self.problems.add((*path, key), f"{written!r} is no {what}")
            return ()
        return tuple(self.file.parent / one for one in parts)

    def refuse_unknown(
        self, table: Mapping[str, Any], path: toml_lines.Path, known: Sequence[str]
    ) -> None:
        """Note every key that is not known."""
        for key in table:
            if key not in known:
                self.problems.unknown((*path, key), known)

    def refuse_twins(self, models: Sequence[ModelSettings]) -> None:
        """Note models that reports could not tell apart."""
        seen: dict[tuple[str, str], int] = {}
        for i, model in enumerate(models):
            for board in model.boards:
                if (first := seen.setdefault((model.name, board), i)) != i:
                    what = f"{model.name} on {board} is model[{first + 1}], too; give it a name"
                    self.problems.add(("model", i), what)


def _in_order(limits: Mapping[Key, Limit], source: Source) -> tuple[Limit, ...]:
    """Return the limits in the order of ``METRICS``, behind whether it fits."""
    order = list(METRICS)
    ordered = sorted(limits.values(), key=lambda limit: order.index(limit.metric))
    return (Limit("fits", 0.0, "always", source), *ordered)


def _has_table(path: Path) -> bool:
    """Whether a pyproject.toml has our table; one that is not TOML is left to the reader to say."""
    try:
        tool = tomllib.loads(path.read_bytes().decode()).get("tool", {})
    except (ValueError, RecursionError):
        return True
    return isinstance(tool, dict) and TABLE[1] in tool


def _not_toml(path: Path, error: Exception) -> BudgetError:
    at = re.search(r" \(at line (\d+), column \d+\)$", str(error))
    what = str(error)[: at.start()] if at else str(error)
    return BudgetError(
        f"not TOML: {what}", where=f"{path}:{at[1]}" if at else str(path), fix="mend the file"
    )


def _refusal(path: Path, problems: Sequence[tuple[int, str]]) -> BudgetError:
    """Return one error for all problems, a line each."""
    fix = "mend the file; nothing was checked"
    if len(problems) == 1:
        ((line, what),) = problems
        return BudgetError(what, where=f"{path}:{line}", fix=fix)
    lines = "".join(f"\n  {path}:{line}: {what}" for line, what in problems)
    return BudgetError(f"{len(problems)} problems{lines}", where=str(path), fix=fix)
