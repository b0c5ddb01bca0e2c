"""The tables of a recipe -> ``Recipe``, with everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from importlib import import_module
from inspect import signature
from itertools import product
from pathlib import Path
from typing import Any, get_type_hints

from tinysim import toml_lines
from tinysim.boards import board_names, load_board
from tinysim.budget.choices import CHOICES, read_choices
from tinysim.budget.units import read_unit
from tinysim.lab import data, stages, zoo
from tinysim.lab.recipe import START_NAME, Recipe, Samples, Stage, Start, needs
from tinysim.lab.report.published import PUBLISHED_KEYS, QUANTITIES, Published
from tinysim.lab.values import read_value
from tinysim.problems import Problems, near

#: Keys of every ``[[stage]]``; no stage has a setting of such a name.
STAGE_KEYS = ("kind", "name", "after", "boards")
#: Keys of the whole file.
TOP_KEYS = (
    *("name", "seed", "repeats", "threads", "boards", "data", "model", "stage", "small"),
    *("published", *CHOICES),
)


class Reader:
    """Turns tables into a recipe; what is wrong goes to ``problems``.

    ``moved`` gets where values stand that are read from another place: those of ``each``.
    """

    def __init__(
        self, file: Path, problems: Problems, moved: dict[toml_lines.Path, toml_lines.Path]
    ) -> None:
        self.file, self.folder = file, file.parent
        self.problems, self.moved = problems, moved
        self.board_names: tuple[str, ...] = ()

    def read(self, document: Mapping[str, Any], mode: str) -> Recipe:
        """Read the whole file."""
        self.refuse_unknown(document, (), TOP_KEYS)
        boards = self.boards(document)
        self.board_names = boards
        starts = self.starts(document)
        stages = self.stages(document, starts)
        return Recipe(
            file=self.file,
            mode=mode,
            name=self.value(document, "name", (), str, self.file.stem),
            seed=self.value(document, "seed", (), int, 1, least=0),
            repeats=self.value(document, "repeats", (), int, 1, least=1),
            threads=self.value(document, "threads", (), int, 1, least=1),
            boards=boards,
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
        return self.resolved(names)

    def resolved(self, boards: Iterable[str]) -> tuple[str, ...]:
        """Return names as they are, and paths of board files from the recipe's folder."""
        found = (str(self.folder / one) if one.endswith(".toml") else one for one in boards)
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
        self, table: Mapping[str, Any], path: toml_lines.Path
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
        boards = self.value(row, "boards", path, tuple[str, ...] | None, None)
        boards = boards and self.resolved(boards)
        if unknown := sorted({*(boards or ())} - {*self.board_names}):
            known = near(unknown[0], self.board_names)
            self.problems.add((*path, "boards"), f"the recipe has no board {unknown[0]}, {known}")
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
            found.append(Stage(group, kind, settings, one, {**of, **values}, boards))
        return found

    def one_of(
        self, name: str, earlier: Sequence[Stage], path: toml_lines.Path, or_group: bool = False
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
            (place,) = self.resolved([board])
            if board and place not in self.board_names:
                known = near(board, self.board_names)
                self.problems.add((*path, "board"), f"the recipe has no board {board}, {known}")
            elif board and stage in names:
                board = load_board(place).name
            if not set(QUANTITIES) & set(table):
                self.problems.add(path, f"has nothing to compare, {near('', QUANTITIES)}")
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

    def settings(self, row: Mapping[str, Any], kind: str, path: toml_lines.Path) -> Any:
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
        path: toml_lines.Path,
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
        self, table: Mapping[str, Any], path: toml_lines.Path, known: Iterable[str]
    ) -> None:
        """Note every key that is not known."""
        known = list(known)
        for key in table:
            if key not in known:
                self.problems.unknown((*path, key), known)
