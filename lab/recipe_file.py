"""Reads recipes, which are TOML files like this one.

::

    name = "digits"             # what tables call it; the file's name if left out
    seed = 1                    # of the first repeat; each further one has the next number
    repeats = 3
    threads = 1                 # that compute an operator: more may be faster, and give other sums
    boards = ["nano33ble"]      # names, or paths of board files
    optimize = "size"           # how models are compiled and run, as options of `tinysim run`

    [data]
    name = "mnist"              # or path = "my.npz"
    train = 10000               # only the first samples; all if left out
    test = 2000

    [model]
    family = "lenet"            # with its factors; or path = "my.keras"
    each.alpha = [0.5, 1]       # everything with each of these; [data] and stages may have it, too

    [[stage]]
    kind = "train"              # a module of lab/stages; all other keys are its settings
    epochs = 5

    [[stage]]
    kind = "quantize"
    name = "int8"               # what tables call it; its kind if left out
    after = "train"             # whose model it takes, or "model"; the stage before if left out
    boards = []                 # measured on these only

    [small]                     # what `--mode small` takes instead; [small.stage.NAME] by the
    repeats = 1                 # name or kind of stages
    data = { train = 200, test = 100 }
    stage.train = { epochs = 1 }

    [[published]]               # what others found, to stand beside what is found here
    stage = "int8 0.5"          # its name, and the values of each
    board = "nano33ble"
    latency = "20 ms"
    source = "their paper, table 1"

All paths are from the folder of the file. Name, seed, repeats, ``each``, ``[small]`` and
``[[published]]`` may be left out.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tinysim import toml_lines
from tinysim.errors import RecipeError
from tinysim.lab.recipe import MODES, Recipe
from tinysim.lab.recipe_reader import STAGE_KEYS, TOP_KEYS, Reader
from tinysim.problems import Problems, Source, near

#: Of [data] and [model]: what says which one is meant. One in [small] stands without the options
#: of the other, but for what goes with all samples.
_EITHER, _PARTS = ("name", "family", "path"), ("train", "test")
_SMALL_KEYS = tuple(key for key in TOP_KEYS if key not in ("name", "small", "published"))


def read_recipe(file: Path, mode: str = "full", samples: Path | None = None) -> Recipe:
    """Read a recipe for one mode; ``samples`` are taken instead of those that it names.

    Raises
    ------
    RecipeError
        With the line of everything that is wrong with it, in any mode.
    """
    try:
        text = file.read_bytes().decode()
        document = tomllib.loads(text)
        lines = toml_lines.find_lines(text.replace("\r\n", "\n"))
    except OSError as error:
        why = error.strerror or str(error)
        raise RecipeError(
            f"cannot be read ({why})", where=str(file), fix="name a recipe (docs/lab.md)"
        ) from error
    except (ValueError, RecursionError) as error:
        raise _not_toml(file, error) from error
    found: dict[tuple[int, str], None] = {}
    recipes = {}
    for one in MODES:
        moved: dict[toml_lines.Path, toml_lines.Path] = {}
        problems = Problems(partial(_source, file, lines, moved))
        merged = _with_small(document, moved, problems) if one == "small" else document
        merged = merged if samples is None else _with_samples(merged, samples)
        recipes[one] = Reader(file, problems, moved).read(merged, one)
        found |= dict.fromkeys(problems.found)
    if found:
        raise _refusal(file, sorted(found))
    return recipes[mode]


def _source(
    file: Path,
    lines: Mapping[toml_lines.Path, int],
    moved: Mapping[toml_lines.Path, toml_lines.Path],
    at: toml_lines.Path,
) -> Source:
    """Return the line of a key, or of the nearest table around it.

    ``moved`` are from [small] or ``each``.
    """
    while length := next((i for i in range(len(at), 0, -1) if at[:i] in moved), 0):
        at = (*moved[at[:length]], *at[length:])
    while at and at not in lines:
        at = at[:-1]
    return Source(file, lines.get(at, 1))


def _with_small(
    document: Mapping[str, Any], moved: dict[toml_lines.Path, toml_lines.Path], problems: Problems
) -> Mapping[str, Any]:
    """Return the document with what ``[small]`` says in place of what it says otherwise."""
    merged = copy.deepcopy(dict(document))
    small = problems.table(merged.pop("small", {}), ("small",))
    rows = merged.get("stage", [])
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    for key, value in small.items():
        if key not in _SMALL_KEYS:
            problems.unknown(("small", key), _SMALL_KEYS)
        elif key == "stage":
            for name, settings in problems.table(value, ("small", "stage")).items():
                path = ("small", "stage", name)
                chosen = [i for i, row in enumerate(rows) if name in _names(row)]
                if not chosen:
                    known = sorted({one for row in rows for one in _names(row)})
                    problems.add(path, f"no such stage, {near(name, known)}")
                for i in chosen:
                    _override(rows[i], settings, ("stage", i), path, moved, problems)
        elif key in ("data", "model"):
            _override(merged.setdefault(key, {}), value, (key,), ("small", key), moved, problems)
        else:
            _override(merged, {key: value}, (), ("small",), moved, problems)
    return merged


def _with_samples(document: Mapping[str, Any], samples: Path) -> Mapping[str, Any]:
    """Return the document with other samples, as many of them, and as large, as it says."""
    table = document.get("data", {})
    if not isinstance(table, dict):
        return document
    rest = {key: value for key, value in table.items() if key not in _EITHER}
    return {**document, "data": {**rest, "path": str(samples.resolve())}}


def _override(
    table: Any,
    others: object,
    to: toml_lines.Path,
    of: toml_lines.Path,
    moved: dict[toml_lines.Path, toml_lines.Path],
    problems: Problems,
) -> None:
    """Take the values of another table, and remember where they are from."""
    for key, value in problems.table(others, of).items():
        if of[1:2] == ("stage",) and key in STAGE_KEYS:
            problems.add((*of, key), "what a stage is does not depend on the mode")
        elif isinstance(table, dict):
            for other in [*table] if to and key in _EITHER else ():
                if other not in _PARTS and (*to, other) not in moved:
                    del table[other]
            table[key] = value
            moved[(*to, key)] = (*of, key)


def _names(row: Mapping[str, Any]) -> list[str]:
    """Return what a stage goes by in [small]."""
    return [row[key] for key in ("kind", "name") if isinstance(row.get(key), str)]


def _not_toml(file: Path, error: Exception) -> RecipeError:
    at = re.search(r" \(at line (\d+), column \d+\)$", str(error))
    what = str(error)[: at.start()] if at else str(error)
    return RecipeError(
        f"not TOML: {what}", where=f"{file}:{at[1]}" if at else str(file), fix="mend the file"
    )


def _refusal(file: Path, problems: Sequence[tuple[int, str]]) -> RecipeError:
    """Return one error for all problems, a line each."""
    fix = "mend the file; nothing was run"
    if len(problems) == 1:
        ((line, what),) = problems
        return RecipeError(what, where=f"{file}:{line}", fix=fix)
    lines = "".join(f"\n  {file}:{line}: {what}" for line, what in problems)
    return RecipeError(f"{len(problems)} problems{lines}", where=str(file), fix=fix)
