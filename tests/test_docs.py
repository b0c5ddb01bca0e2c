"""The documents are true: commands print what the README shows, and nothing is left out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import tinysim
from tests.conftest import ROOT
from tinysim.boards import board_names
from tinysim.cli import app
from tinysim.compiler.toolchain import compiler_version
from tinysim.compiler.variants import Variant

README = (ROOT / "README.md").read_text()
CONSOLE = re.findall(r"```console\n\$ (tinysim [^\n]+)\n(.*?)```", README, re.DOTALL)
#: Commands of the documents that are shown without what they print, block by block.
SHELL = [
    commands
    for page in sorted((ROOT / "docs").glob("*.md"))
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    if (commands := [line for line in block.splitlines() if line.startswith("tinysim ")])
]


@pytest.mark.parametrize(("command", "shown"), CONSOLE, ids=[c for c, _ in CONSOLE])
def test_readme_shows_what_the_command_prints(command: str, shown: str) -> None:
    if "12.2.1 20221205" not in compiler_version():
        pytest.skip(f"the README was made with GCC 12.2.1, this is {compiler_version()}")
    result = subprocess.run(
        [sys.executable, "-m", *command.split()], capture_output=True, text=True, cwd=ROOT,
        check=True, env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    printed = "\n".join(line.rstrip() for line in result.stdout.splitlines())
    assert printed.strip() == shown.strip()


@pytest.mark.parametrize("commands", SHELL, ids=[commands[0] for commands in SHELL])
def test_commands_in_documents_run(commands: list[str], tmp_path: Path) -> None:
    """One after the other; what they write to ``out/`` goes to a folder of the test."""
    if any(line.startswith("tinysim lab") for line in commands) and not find_spec("tensorflow"):
        pytest.skip("TensorFlow is not here: commands of the lab are not tested")
    for command in commands:
        words = [re.sub("^out/", f"{tmp_path}/", word) for word in command.split()]
        subprocess.run(
            [sys.executable, "-m", *words], capture_output=True, text=True, cwd=ROOT,
            check=True, env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        )  # fmt: skip


def test_every_option_of_run_is_documented() -> None:
    pages = [(ROOT / "docs" / name).read_text() for name in ("run.md", "firmware.md")]
    for option in typer.main.get_command(app).commands["run"].params:  # type: ignore[attr-defined]
        if isinstance(option, typer.core.TyperOption):
            shown = re.compile(rf"`[^`\n]*{option.opts[0]}\b")
            assert any(map(shown.search, pages)), f"{option.opts[0]} is in neither page"


def test_every_tuned_kernel_is_in_its_document() -> None:
    document = (ROOT / "docs" / "kernels.md").read_text()
    for variant in (variant for variants in Variant._registry.values() for variant in variants):
        assert f"`{type(variant).__module__.rpartition('.')[2]}`" in document, (
            "run: python benchmarks/kernels.py ../shared/models --write docs/kernels.md"
        )


def test_readme_example_of_python_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)


def test_every_command_is_in_the_readme() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"tinysim {command.callback.__name__}" in README
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            assert command.callback is not None
            name = command.name or command.callback.__name__
            assert f"tinysim {group.name} {name}" in README


def test_table_of_operators_is_what_the_command_prints() -> None:
    printed = CliRunner().invoke(app, ["ops", "--markdown"]).stdout
    assert printed in (ROOT / "docs" / "models.md").read_text()


def test_table_of_stages_is_what_the_command_prints() -> None:
    if not find_spec("tensorflow"):
        pytest.skip("TensorFlow is not here: the settings of the lab's stages are not read")
    printed = CliRunner().invoke(app, ["lab", "stages", "--markdown"]).stdout
    assert printed and printed in (ROOT / "docs" / "lab.md").read_text(), (
        "paste what this prints: tinysim lab stages --markdown"
    )


def test_every_board_is_in_the_readme() -> None:
    for name in board_names():
        assert name in README


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_public_names_are_all_there() -> None:
    for name in tinysim.__all__:
        assert getattr(tinysim, name) is not None
    with pytest.raises(AttributeError):
        tinysim.nonsense  # noqa: B018


def test_no_path_of_one_machine_is_in_the_tree() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False
    ).stdout.split()
    pattern = re.compile(r"/(work|root|home)/\w")
    for name in listed:
        path = Path(ROOT / name)
        if path.suffix in (".py", ".c", ".h", ".md", ".toml", ".j2", ".json", ".lock"):
            text = path.read_text().replace('r"/(work|root|home)', "")
            assert not pattern.search(text), name
