"""``tinysim lab stages``."""

from __future__ import annotations

from typing import Annotated

import typer

from tinysim.cli.console import console
from tinysim.cli.lab_needs import require_tensorflow


def stages(
    markdown: Annotated[bool, typer.Option("--markdown", help="As a table of Markdown.")] = False,
) -> None:
    """List the stages that recipes are made of, with their settings and defaults."""
    require_tensorflow()
    from tinysim.lab.report.settings_table import settings_table
    from tinysim.lab.report.table import as_markdown, as_rich

    if markdown:
        typer.echo(as_markdown(settings_table()), nl=False)
    else:
        console().print(as_rich(settings_table()))
