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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from functools import partial
from importlib import import_module
from inspect import signature
from itertools import product
from pathlib import Path
from typing import Any, get_type_hints

from tinysim import toml_lines as _lines
from tinysim.boards import board_names
from tinysim.budget.choices import CHOICES, read_choices
from tinysim.budget.units import read_unit
from tinysim.errors import RecipeError
from tinysim.lab import data, stages, zoo
from tinysim.lab.recipe import MODES, START_NAME, Recipe, Samples, Stage, Start, needs
from tinysim.lab.report.published import PUBLISHED_KEYS, QUANTITIES, Published
from tinysim.lab.values import read_value
from tinysim.problems import Problems, Source, near

#: Keys of every ``[[stage]]``; no stage has a setting of such a name.
STAGE_KEYS = ("kind", "name", "after")
_TOP_KEYS = (
    *(
        "name",
        "seed",
        "repeats",
        "threads",
        "boards",
        "data",
        "model",
        "stage",
        "small",
        "published",
    ),
    *CHOICES,
)
#: Of [data] and [model]: what says which one is meant. One in [small] stands without the options
#: of the other, but for what goes with all samples.
_EITHER, _PARTS = ("name", "family", "path"), ("train", "test")
_SMALL_KEYS = tuple(key for key in _TOP_KEYS if key not in ("name", "small", "published"))


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
        lines = _lines.find_lines(text.replace("\r\n", "\n"))
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
        moved: dict[_lines.Path, _lines.Path] = {}
        problems = Problems(partial(_source, file, lines, moved))
        merged = _with_small(document, moved, problems) if one == "small" else document
        merged = merged if samples is None else _with_samples(merged, samples)
        recipes[one] = _Reader(file, problems, moved).read(merged, one)
        found |= dict.fromkeys(problems.found)
    if found:
        raise _refusal(file, sorted(found))
    return recipes[mode]


def _source(
    file: Path,
    lines: Mapping[_lines.Path, int],
    moved: Mapping[_lines.Path, _lines.Path],
    at: _lines.Path,
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
    document: Mapping[str, Any], moved: dict[_lines.Path, _lines.Path], problems: Problems
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
    to: _lines.Path,
    of: _lines.Path,
    moved: dict[_lines.Path, _lines.Path],
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


class _Reader:
    """Turns tables into a recipe; what is wrong goes to ``problems``."""

    def __init__(
        self, file: Path, problems: Problems, moved: dict[_lines.Path, _lines.Path]
    ) -> None:
        self.file, self.folder = file, file.parent
        self.problems, self.moved = problems, moved

    def read(self, document: Mapping[str, Any], mode: str) -> Recipe:
        """Read the whole file."""
        self.refuse_unknown(document, (), _TOP_KEYS)
        starts = self.starts(document)
        stages = self.stages(document, starts)
        return Recipe(
            file=self.file,
            mode=mode,
            name=self.value(document, "name", (), str, self.file.stem),
            seed=self.value(document, "seed", (), int, 1, least=0),
            repeats=self.value(document, "repeats", (), int, 1, least=1),
            threads=self.value(document, "threads", (), int, 1, least=1),
            boards=self.boards(document),
            choices=read_choices(document, (), self.problems),
            starts=starts,
            stages=stages,
            published=self.published(document, stages, mode),
        )

    def boards(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        """Read ``boards``."""
        names = self.value(document, "boards", (), tuple[str, ...], ())
        if not names and isinstance(document.get("boards", []), list):
            self.problems.add(("boards",), 'no board; write boards = ["nano33ble"]')
        for i, name in enumerate(names):
            is_file = name.endswith(".toml") and (self.folder / name).is_file()
            if not is_file and name not in board_names():
                self.problems.add(("boards", i), f"no such board, {near(name, board_names())}")
        found = (str(self.folder / name) if name.endswith(".toml") else name for name in names)
        return tuple(dict.fromkeys(found))

    def starts(self, document: Mapping[str, Any]) -> tuple[Start, ...]:
        """Read ``[data]`` and ``[model]``, with every value of their ``each``."""
        samples = self.each(self.problems.table(document.get("data", {}), ("data",)), ("data",))
        models = self.each(self.problems.table(document.get("model", {}), ("model",)), ("model",))
        return tuple(
            replace(self.start(model, self.samples(of)), values={**values, **factors})
            for of, values in samples
            for model, factors in models
        )

    def each(
        self, table: Mapping[str, Any], path: _lines.Path
    ) -> list[tuple[Mapping[str, Any], Mapping[str, str]]]:
        """Return a table with each choice of values of its ``each``, and what these are."""
        lists = self.problems.table(table.get("each", {}), (*path, "each"))
        for key, values in lists.items():
            here = (*path, "each", key)
            if not isinstance(values, list) or not values:
                self.problems.add(here, f"{values!r} is no list of values")
            elif len({*map(str, values)}) < len(values):
                self.problems.add(here, "a value is there twice")
            elif key in table:
                self.problems.add(here, f"{key} has a value of its own, too")
            else:
                self.moved[(*path, key)] = here
        lists = {key: values for key, values in lists.items() if (*path, key) in self.moved}
        rest = {key: value for key, value in table.items() if key != "each"}
        return [
            (
                {**rest, **dict(zip(lists, chosen, strict=True))},
                dict(zip(lists, map(str, chosen), strict=True)),
            )
            for chosen in product(*lists.values())
        ]

    def samples(self, table: Mapping[str, Any]) -> Samples:
        """Read ``[data]``."""
        _, *options = signature(data.load).parameters
        self.refuse_unknown(table, ("data",), ("name", "path", "train", "test", *options))
        hints = get_type_hints(data.load)
        name = self.either(table, "data", "name")
        if isinstance(name, str) and name not in data.NAMES:
            self.problems.add(("data", "name"), f"no such samples, {near(name, data.NAMES)}")
        return Samples(
            name=str(name or ""),
            options={
                key: self.value(table, key, ("data",), hints[key], None)
                for key in options
                if key in table
            },
            train=self.value(table, "train", ("data",), int | None, None, least=1),
            test=self.value(table, "test", ("data",), int | None, None, least=1),
        )

    def start(self, table: Mapping[str, Any], samples: Samples) -> Start:
        """Read ``[model]``."""
        found = self.either(table, "model", "family")
        if isinstance(found, Path):
            self.refuse_unknown(table, ("model",), ("path",))
            return Start(samples, path=found)
        if found is None:
            return Start(samples)
        if found not in zoo.families():
            what = f"no such family, {near(found, zoo.families())}"
            self.problems.add(("model", "family"), what)
            return Start(samples)
        build = import_module(f"{zoo.__name__}.{found}").build
        _, _, *factors = signature(build).parameters
        self.refuse_unknown(table, ("model",), ("family", *factors))
        return Start(samples, found, {key: table[key] for key in factors if key in table})

    def stages(self, document: Mapping[str, Any], starts: Sequence[Start]) -> tuple[Stage, ...]:
        """Read every ``[[stage]]``, with every value of its ``each`` after each one before it."""
        rows = document.get("stage", [])
        if not isinstance(rows, list) or not rows:
            self.problems.add(("stage",) if rows else (), "nothing to do; write a [[stage]]")
            return ()
        found: list[Stage] = []
        before: list[int] = [-1 - i for i in range(len(starts))]
        for i, row in enumerate(rows):
            made: list[Stage] = []
            for table, values in self.each(self.problems.table(row, ("stage", i)), ("stage", i)):
                made += self.stage(table, i, values, starts, found, before)
            for name in {name for stage in made for name in needs(stage)}:
                self.one_of(name, found, ("stage", i))
            before = [*range(len(found), len(found) + len(made))]
            found += made
        return tuple(found)

    def stage(
        self,
        row: Mapping[str, Any],
        place: int,
        values: Mapping[str, str],
        starts: Sequence[Start],
        earlier: Sequence[Stage],
        before: Sequence[int],
    ) -> list[Stage]:
        """Read one ``[[stage]]`` after each of those that it follows."""
        path = ("stage", place)
        kind = self.value(row, "kind", path, str, "")
        group = self.value(row, "name", path, str, kind)
        after = self.value(row, "after", path, str | None, None)
        if after == START_NAME and not any(stage.name == after for stage in earlier):
            before = [-1 - i for i in range(len(starts))]
        elif after is not None:
            self.one_of(after, earlier, (*path, "after"), or_group=True)
            same = [i for i, stage in enumerate(earlier) if stage.name == after]
            alike = [i for i, stage in enumerate(earlier) if stage.group == after]
            before = same or alike or before
        settings = None
        if kind in stages.kinds():
            settings = self.settings(row, kind, path)
        elif kind:
            self.problems.add((*path, "kind"), f"no such stage, {near(kind, stages.kinds())}")
        elif "kind" not in row:
            self.problems.add(path, f"has no kind, {near('', stages.kinds())}")
        found = []
        for one in before:
            of = starts[-1 - one].values if one < 0 else earlier[one].values
            found.append(Stage(group, kind, settings, one, {**of, **values}))
        return found

    def one_of(
        self, name: str, earlier: Sequence[Stage], path: _lines.Path, or_group: bool = False
    ) -> None:
        """Note a name that is not that of a single earlier stage, or of one with ``each``."""
        names = [stage.name for stage in earlier]
        if name not in names:
            if or_group and name in (stage.group for stage in earlier):
                return
            what = f"no earlier stage of the name {name!r}, {near(name, sorted(set(names)))}"
            self.problems.add(path, what)
        elif names.count(name) > 1:
            self.problems.add(path, f"several stages are called {name!r}; give them names")

    def published(
        self, document: Mapping[str, Any], stages: Sequence[Stage], mode: str
    ) -> tuple[Published, ...]:
        """Read every ``[[published]]``; what is of no stage in this mode is left out."""
        rows = document.get("published", [])
        if not isinstance(rows, list):
            self.problems.add(("published",), "is no list of tables; write [[published]]")
            return ()
        names = [stage.name for stage in stages]
        found = []
        for i, row in enumerate(rows):
            path = ("published", i)
            table = self.problems.table(row, path)
            self.refuse_unknown(table, path, (*PUBLISHED_KEYS, *QUANTITIES))
            stage, board, source = (self.value(table, key, path, str, "") for key in PUBLISHED_KEYS)
            if not source:
                self.problems.add(path, "has no source")
            if stage not in names and mode == "full":
                self.problems.add((*path, "stage"), f"no stage {stage!r}, {near(stage, names)}")
            for quantity in [one for one in QUANTITIES if one in table]:
                here = (*path, quantity)
                if QUANTITIES[quantity].is_of_board != bool(board):
                    what = "wants a board" if not board else "is not of a board"
                    self.problems.add(here, f"{quantity} {what}")
                try:
                    value = read_unit(table[quantity], QUANTITIES[quantity].unit)
                except ValueError as error:
                    self.problems.add(here, str(error))
                else:
                    if stage in names:
                        found.append(Published(stage, board, quantity, value, source))
        return tuple(found)

    def settings(self, row: Mapping[str, Any], kind: str, path: _lines.Path) -> Any:
        """Read the keys that a kind of stage has for itself."""
        made_of = import_module(f"{stages.__name__}.{kind}").Settings
        hints = get_type_hints(made_of)
        self.refuse_unknown(row, path, (*STAGE_KEYS, *hints))
        before = len(self.problems.found)
        values = {}
        for field in fields(made_of):
            if field.name in row:
                values[field.name] = self.value(row, field.name, path, hints[field.name], None)
            elif field.default is MISSING and field.default_factory is MISSING:
                self.problems.add(path, f"has no {field.name}, which {kind} wants")
        if len(self.problems.found) > before:
            return None
        try:
            return made_of(**values)
        except ValueError as error:
            self.problems.add(path, str(error))
            return None

    def either(self, table: Mapping[str, Any], part: str, key: str) -> str | Path | None:
        """Read a name, or the path of a file that must be there."""
        if (key in table) == ("path" in table):
            self.problems.add((part,), f"give either {key} or path")
            return None
        if key in table:
            name: str | None = self.value(table, key, (part,), str, None)
            return name
        path: Path | None = self.value(table, "path", (part,), Path, None)
        if path is not None and not path.exists():
            self.problems.add((part, "path"), f"{path} is not there")
        return path

    def value(
        self,
        table: Mapping[str, Any],
        key: str,
        path: _lines.Path,
        kind: Any,
        default: Any,
        least: int | None = None,
    ) -> Any:
        """Return a key's value, or the default if it is not there or makes no sense."""
        if key not in table:
            return default
        try:
            value = read_value(kind, table[key], self.folder)
        except ValueError as error:
            self.problems.add((*path, key), str(error))
            return default
        if least is not None and value < least:
            self.problems.add((*path, key), f"{value} is less than {least}")
            return default
        return value

    def refuse_unknown(
        self, table: Mapping[str, Any], path: _lines.Path, known: Iterable[str]
    ) -> None:
        """Note every key that is not known."""
        known = list(known)
        for key in table:
            if key not in known:
                self.problems.unknown((*path, key), known)


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
