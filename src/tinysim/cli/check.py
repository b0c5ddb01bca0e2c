"""``tinysim check``: budgets, judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinysim.cli.console import console
from tinysim.cli.files import check_writable, write_text
from tinysim.cli.options import NoCacheOption

if TYPE_CHECKING:
    from tinysim.budget import Case, CheckResult


def check(
    file: Annotated[
        Path, typer.Argument(help="tinysim.toml, pyproject.toml, or a folder that has one.")
    ] = Path(),
    model: Annotated[
        list[str] | None, typer.Option(help="Only this model, or shell pattern; repeatable.")
    ] = None,
    board: Annotated[
        list[str] | None,
        typer.Option("--board", "-b", help="Only this board, or shell pattern; repeatable."),
    ] = None,
    strict: Annotated[
        bool | None,
        typer.Option("--strict/--no-strict", help="What may fail, fails. The file's by default."),
    ] = None,
    junit: Annotated[
        str | None, typer.Option(help="Write JUnit XML to a file; - is stdout.")
    ] = None,
    sarif: Annotated[str | None, typer.Option(help="Write SARIF 2.1.0.")] = None,
    markdown: Annotated[str | None, typer.Option(help="Write Markdown, as for a comment.")] = None,
    json: Annotated[str | None, typer.Option(help="Write JSON.")] = None,
    format: Annotated[
        str, typer.Option(help="What to print: text, or one of the formats above.")
    ] = "text",
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Processes; as many as processors by default."),
    ] = None,
    no_cache: NoCacheOption = False,
) -> None:
    """Check that models keep their budgets on all their boards.

    Budgets stand in tinysim.toml, or in pyproject.toml under [tool.tinysim].

    Exit code 0: all are kept. 1: one is broken, or cannot be measured. 2: the file is wrong.
    3: a model or input cannot be used. 4: no compiler.
    """
    from tinysim.budget.settings import find_settings, read_settings
    from tinysim.check import check as check_all
    from tinysim.check import only
    from tinysim.report import CHECK_FORMATS, render_check

    if format not in CHECK_FORMATS:
        raise typer.BadParameter(f"--format is {', '.join(CHECK_FORMATS)}, not {format}")
    wanted = {"junit": junit, "sarif": sarif, "markdown": markdown, "json": json}
    targets = {name: target for name, target in wanted.items() if target is not None}
    if list(targets.values()).count("-") > 1:
        raise typer.BadParameter("only one report can go to stdout")
    if folders := [target for target in targets.values() if Path(target).is_dir()]:
        raise typer.BadParameter(f"{', '.join(folders)}: a folder; give the name of a file")
    check_writable(*targets.values())
    settings = read_settings(find_settings(file) if file.is_dir() else file)
    settings = only(settings, model or (), board or ())
    if strict is not None:
        settings = replace(settings, is_strict=strict)
    with _progress(sum(len(one.boards) for one in settings.models)) as on_case:
        result = check_all(settings, jobs=jobs, use_cache=not no_cache, on_case=on_case)
    for name, target in targets.items():
        write_text(render_check(result, name), target)
    if "-" not in targets.values():
        _show(result, format)
    raise typer.Exit(result.exit_code)


def _show(result: CheckResult, format: str) -> None:
    """Print a report, in colour if it is text on a terminal."""
    from tinysim.report import _check_table, render_check

    if format == "text":
        console().print(_check_table.report(result))
    else:
        typer.echo(render_check(result, format), nl=False)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Case], None]]:
    """Show how far it is, on a terminal's stderr only."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda case: None
        return
    done = 0
    with console.status(f"0 of {total}") as status:

        def on_case(case: Case) -> None:
            nonlocal done
            done += 1
            status.update(f"{done} of {total}: {case.board}")

        yield on_case
