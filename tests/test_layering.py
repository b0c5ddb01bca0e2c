"""Imports point one way, and the heavy libraries stay in their places."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

#: Part -> the parts of tinysim that it may import.
MAY_IMPORT = {
    "errors": set(),
    "kernels": {"errors"},
    "boards": {"errors", "problems"},
    "firmware": {"errors"},
    "compiler": {"errors", "boards", "kernels", "firmware"},
    "simulator": {"errors", "boards", "firmware"},
    "traces": {"errors", "boards", "simulator"},
    "toml_lines": set(),
    "problems": {"toml_lines"},
    "budget": {
        *("boards", "compiler", "errors", "firmware", "problems", "simulator", "toml_lines"),
    },
    "report": {"budget", "errors", "firmware", "simulator"},
    "baseline": {"budget", "errors", "report", "simulator"},
    "issues": {"simulator"},
    "bundle": {"issues", "report", "simulator"},
    "arrays": {"errors"},
    "cache": {"__version__"},
    "records": set(),
    "tune": {
        *("agreement", "boards", "cache", "compiler", "errors", "records", "simulator"),
    },
    "api": {
        *("__version__", "agreement", "boards", "compiler", "report", "simulator", "traces"),
        *("firmware", "firmware_cache", "tune"),
    },
    "check": {
        *("api", "arrays", "baseline", "budget", "cache", "compiler", "errors", "records"),
        "simulator",
    },
    "firmware_cache": {"boards", "cache", "compiler", "firmware", "records"},
    "agreement": {"simulator"},
    "layerwise": {"agreement", "boards", "compiler", "simulator"},
    "__init__": {"api", "boards", "errors", "report", "simulator"},
    "ranking": {"__version__", "api", "boards", "budget", "compiler", "errors", "simulator"},
    "whatif": {"__version__", "agreement", "boards", "compiler", "errors", "simulator"},
    "lab": {
        *("agreement", "api", "arrays", "boards", "budget", "cache", "check"),
        *("compiler", "errors", "firmware", "kernels", "problems", "records", "report"),
        *("simulator", "toml_lines"),
    },
    "pytest_plugin": {"baseline", "budget", "errors", "report", "simulator"},
    "cli": {
        *("__version__", "api", "arrays", "baseline", "boards", "budget", "bundle", "check"),
        *("compiler", "errors", "layerwise", "ranking", "report", "simulator", "traces", "tune"),
        *("lab", "whatif"),
    },
    "__main__": {"cli"},
}

#: The modules of the machine that touch the emulator.
UNICORN = ("__init__", "engine", "faults", "memory")

#: Library -> the only files that may import it; a folder ends in a slash.
ONLY_IN = {
    "unicorn": {
        f"simulator/machine/{name}.py" for name in ("__init__", "engine", "faults", "memory")
    },
    "capstone": {"simulator/decode.py"},
    "tflite": {
        f"compiler/readers/{name}.py"
        for name in ("tflite", "_tflite_options", "_tflite_states", "_tflite_tensors")
    },
    "h5py": {"compiler/readers/keras/archive.py"},
    "subprocess": {"compiler/toolchain.py"},
    "tensorflow": {"compiler/readers/saved_model.py", "lab/"},
    "torch": {"compiler/readers/torch_export.py"},
    "onnxscript": {"compiler/readers/torch_export.py"},
    "keras": {"lab/"},
    "optuna": {"lab/"},
    "ai_edge_quantizer": {"lab/"},
}

FOLDERS = ("boards", "compiler", "kernels", "lab", "simulator", "traces", "src/tinysim")


def sources() -> list[Path]:
    """Every module of the package, each once (the links in src/ are not followed)."""
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parents = path.relative_to(ROOT / folder).parents
            if not any((ROOT / folder / parent).is_symlink() for parent in parents):
                found.append(path)
    return found


def part_of(path: Path) -> str:
    """The part of tinysim that a file belongs to."""
    relative = path.relative_to(ROOT)
    names = relative.parts[2:] if relative.parts[0] == "src" else relative.parts
    return names[0].removesuffix(".py")


def imported(path: Path) -> list[str]:
    """Full names that a file imports, wherever in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return names


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    part = part_of(path)
    parts = {name.split(".")[1] for name in imported(path) if name.startswith("tinysim.")}
    assert parts - {part} <= MAY_IMPORT[part]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_private_stays_in_its_part(path: Path) -> None:
    """In ``report`` an underscore only says that a module is no format."""
    for name in imported(path):
        tinysim, part, *inner = (*name.split("."), "", "")
        if tinysim == "tinysim" and part not in (part_of(path), "report"):
            assert not any(re.match("_[^_]", one) for one in (part, *inner)), name


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_libraries_stay_in_their_places(path: Path) -> None:
    libraries = {name.split(".")[0] for name in imported(path)}
    for library, allowed in ONLY_IN.items():
        if library in libraries:
            name = str(path.relative_to(ROOT))
            assert any(name == one or (name.startswith(one) and one[-1] == "/") for one in allowed)


def test_only_the_command_line_prints_or_exits() -> None:
    for path in sources():
        if part_of(path) in ("cli", "__main__"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("print", "exit"), f"{path}: {node.func.id}"
