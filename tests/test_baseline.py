"""Baselines: stored, read without trust, compared to the cycle, rendered."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinysim
from tests.conftest import DEMO_MODEL, ROOT
from tinysim.baseline import TOTALS, Comparison, Record, RecordedLayer
from tinysim.baseline import html as as_html
from tinysim.baseline import json as as_json
from tinysim.baseline import markdown as as_markdown
from tinysim.baseline.compare import compare
from tinysim.baseline.limits import exceeded, read_growth
from tinysim.baseline.store import (
    KNOWN_VERSIONS,
    content,
    file_name,
    read_data,
    read_record,
    record_of,
)
from tinysim.baseline.words import changed_layers
from tinysim.compiler.toolchain import compiler_version
from tinysim.errors import MeasurementError
from tinysim.report.json import SCHEMA_VERSION

HOSTILE = "<script>alert(1)</script>[bold]x[/bold]\x1b[31m|\n# `x` @everyone https://evil"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baseline of the demo model."""
    folder = tmp_path_factory.mktemp("baseline")
    result = command("save", DEMO_MODEL, "-b", "nano33ble", "-o", folder)
    assert result.returncode == 0, result.stderr
    return folder / "mnist_cnn_int8@nano33ble.json"


@pytest.fixture(scope="module")
def data(stored: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(stored.read_text())
    return loaded


@pytest.fixture(scope="module")
def record(stored: Path) -> Record:
    return read_record(stored)


def command(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tinysim", "baseline", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "TERM": "dumb"},
    )


def one_cycle_more(data: dict[str, Any]) -> dict[str, Any]:
    slower = copy.deepcopy(data)
    for counters in (slower["totals"], slower["layers"][3]):
        counters["cycles"] += 1
    slower["totals"]["stalls"]["load"] += 1
    return slower


def write(path: Path, data: Any) -> Path:
    path.write_text(json.dumps(data))
    return path


# --- storing and reading


def test_the_same_run_gives_the_same_bytes(stored: Path, tmp_path: Path) -> None:
    profile = tinysim.run(DEMO_MODEL, "nano33ble")
    assert stored.read_bytes() == content(profile)
    assert record_of(profile, str(stored)) == read_record(stored)
    assert read_data(stored) == json.loads(content(profile))


def test_the_version_that_is_written_can_be_read() -> None:
    assert SCHEMA_VERSION in KNOWN_VERSIONS


@pytest.mark.parametrize(
    ("model", "board", "name"),
    [
        ("models/kws.tflite", "nano33ble", "kws@nano33ble.json"),
        ("a b/ü?*.v1.onnx", "x/../y", "__*.v1@x_.._y.json".replace("*", "_")),
        ("..", "..", "_.@_..json"),
        (".hidden", "b", "_hidden@b.json"),
        ("a\nb@c.tflite", "b", "a_b_c@b.json"),
    ],
)
def test_names_of_files_are_safe(model: str, board: str, name: str) -> None:
    assert file_name(model, board) == name


@given(st.text(), st.text())
def test_names_of_files_never_lead_elsewhere(model: str, board: str) -> None:
    name = file_name(model, board)
    assert Path(name).name == name and not name.startswith(".") and name.isascii()


def test_fields_that_newer_versions_add_are_ignored(data: dict[str, Any], tmp_path: Path) -> None:
    newer = {**data, "schema_version": 2, "tensors": [{"name": 1}], "published": "later"}
    newer["layers"] = [{**layer, "energy_j": None} for layer in data["layers"]]
    assert read_record(write(tmp_path / "b.json", newer)).causes


def test_unknown_versions_are_refused(data: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path / "b.json", {**data, "schema_version": 3})
    with pytest.raises(MeasurementError, match=r"schema version 3 is not known .* newest"):
        read_record(path)


def test_everything_that_is_wrong_is_said_at_once(data: dict[str, Any], tmp_path: Path) -> None:
    wrong = copy.deepcopy(data)
    wrong["totals"]["cycles"] = "many"
    wrong["ram"]["stack_bytes"] = -1
    wrong["flash"]["code_bytes"] = True
    wrong["layers"][1]["name"] = None
    del wrong["core"]
    with pytest.raises(MeasurementError) as caught:
        read_record(write(tmp_path / "b.json", wrong))
    for part in (
        "totals.cycles is not a count", "ram.stack_bytes is not a count",
        "flash.code_bytes is not a count", "layers[1].name is not text", "core is not there",
    ):  # fmt: skip
        assert part in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "{}", "12", '"x"', "nonsense", "[" * 100_000, '{"a":' * 100_000,
        '{"schema_version": NaN}', '{"schema_version": 1e999}', '{"schema_version": [1]}',
        '{"schema_version": 1, "model": "\\ud800"}', '{"schema_version": ' + "9" * 5000 + "}",
        "\xff", '{"schema_version": 1, "layers": {"0": 1}, "totals": []}',
    ],
    ids=range(16),
)  # fmt: skip
def test_files_that_are_no_baselines_give_one_clear_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(MeasurementError) as caught:
        read_data(path)
    assert len(str(caught.value)) < 800
    assert str(caught.value).startswith(str(path))


def test_a_file_that_is_not_there_or_too_large_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: Path
) -> None:
    with pytest.raises(MeasurementError, match="No such file"):
        read_record(tmp_path / "none.json")
    monkeypatch.setattr("tinysim.baseline.store.MAX_BYTES", 1000)
    with pytest.raises(MeasurementError, match="larger than 1,000 B"):
        read_record(stored)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=200)
@given(draw=st.data())
def test_any_damage_is_an_error_or_harmless(
    draw: st.DataObject, data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    damaged = copy.deepcopy(data)
    place: Any = damaged
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = draw.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or not place[key] or draw.draw(st.booleans()):
            break
        place = place[key]
    place[key] = draw.draw(anything)
    path = write(tmp_path_factory.getbasetemp() / "damaged.json", damaged)
    try:
        record = read_record(path)
    except MeasurementError:
        return
    comparison = compare(record, record)
    json.loads(as_json.render(comparison))
    (as_html.render(comparison) + as_markdown.render(comparison)).encode()


# --- comparing

names = st.sampled_from(["a", "b", HOSTILE])
counts = st.integers(0, 2**63 - 1)
sizes = st.floats(0, 2.0**63, exclude_max=True)


@st.composite
def records(draw: st.DrawFn, layers: int | None = None) -> Record:
    return Record(
        where=draw(names),
        model_name=draw(names),
        model_sha256="0" * 64,
        board="board",
        conditions={"clock": draw(names)},
        totals={
            name: draw(st.none() | sizes if name == "energy" else sizes if unit == "s" else counts)
            for name, unit in TOTALS.items()
        },
        causes={cause: draw(counts) for cause in draw(st.sets(names))},
        layers=tuple(
            RecordedLayer(index, draw(names), "ADD", draw(names), (1,), draw(counts))
            for index in range(draw(st.integers(0, 3)))
        ),
        between_layers_cycles=draw(counts),
    )


def changes(comparison: Comparison) -> dict[str, float | None]:
    deltas = (*comparison.totals, *comparison.causes, comparison.between_layers)
    found = {f"{delta.unit} {delta.name}": delta.change for delta in deltas}
    return found | {f"layer {one.after.index}": one.cycles.change for one in comparison.layers}


@given(records())
def test_nothing_changes_between_a_record_and_itself(record: Record) -> None:
    comparison = compare(record, record)
    assert not comparison.is_changed and not comparison.conditions and comparison.topology is None
    assert set(changes(comparison).values()) <= {0, None}
    assert len(comparison.layers) == len(record.layers)
    assert not list(exceeded(comparison, [read_growth("0%"), read_growth("0 cycles")]))


@given(records(), records())
def test_comparing_the_other_way_round_turns_every_sign(one: Record, two: Record) -> None:
    forth, back = compare(one, two), compare(two, one)
    assert changes(forth) == {
        name: None if change is None else -change for name, change in changes(back).items()
    }
    assert (forth.topology is None) == (back.topology is None)
    assert (
        forth.is_changed
        == back.is_changed
        == (
            (one.totals, one.causes, one.layers, one.between_layers_cycles)
            != (two.totals, two.causes, two.layers, two.between_layers_cycles)
        )
    )


@settings(deadline=None)
@given(records(), records())
def test_every_rendering_of_any_comparison_is_sound(one: Record, two: Record) -> None:
    comparison = compare(one, two)
    data = json.loads(as_json.render(comparison))
    assert data["is_changed"] == comparison.is_changed
    markdown = as_markdown.render(comparison)
    assert "<script" not in markdown and "\x1b" not in markdown and "\n# " not in markdown
    tags = Tags()
    tags.feed(as_html.render(comparison))
    assert "script" not in tags.seen


class Tags(HTMLParser):
    """Which tags a page has, and whether anything in it would be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.opened: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "link", "img"):
            self.opened.append(tag)
        self.loaded += [str(value) for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


def test_one_cycle_shows(data: dict[str, Any], record: Record, tmp_path: Path) -> None:
    slower = read_record(write(tmp_path / "b.json", one_cycle_more(data)))
    comparison = compare(record, slower)
    assert comparison.total("cycles").change == 1
    assert [one.after.index for one in comparison.layers if one.is_changed] == [3]
    assert {one.name: one.change for one in comparison.causes if one.is_changed} == {"load": 1}
    assert "| cycles | 1,024,306 | 1,024,307 | +1 | +0.00% |" in as_markdown.render(comparison)
    assert list(exceeded(comparison, [read_growth("0 cycles")])) == [
        "cycles: +1 (+0.00%) is more than 0 cycles"
    ]
    assert not list(exceeded(comparison, [read_growth("1 cycles"), read_growth("0.001 %")]))


def test_other_models_and_boards_are_refused_in_one_message(record: Record) -> None:
    other = replace(record, model_sha256="f" * 64, board="rpi_pico", where="other")
    with pytest.raises(MeasurementError) as caught:
        compare(record, other)
    message = str(caught.value)
    assert "the model is another one" in message and "the board is another one" in message
    assert "--allow-other-model --allow-other-board" in message
    comparison = compare(record, other, allow_other_model=True, allow_other_board=True)
    assert [one.name for one in comparison.conditions] == ["model", "board"]


def test_layers_that_are_not_the_same_are_not_compared(record: Record) -> None:
    first, *rest = record.layers
    other = replace(record, layers=(replace(first, output_shape=(1, 2)), *rest))
    comparison = compare(record, other)
    assert comparison.layers == () and not changed_layers(comparison)
    assert comparison.topology is not None and "1x14x14x16" in comparison.topology
    assert "layers are not compared, they are not the same" in as_markdown.render(comparison)
    fewer = compare(record, replace(record, layers=record.layers[:-1]))
    assert fewer.topology == "11 layers before, 10 after"


def test_another_kernel_for_the_same_cycles_is_a_change(record: Record) -> None:
    first, *rest = record.layers
    comparison = compare(record, replace(record, layers=(replace(first, kernel="new"), *rest)))
    assert comparison.is_changed
    (row,) = changed_layers(comparison)
    assert row[3] == "conv_2d_s8_dsp → new"


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        (("clock_hz",), 1, "clock"), (("tinysim_version",), "9", "tinysim"),
        (("toolchain", "flags"), ["-O3"], "flags"), (("toolchain", "version"), "x", "compiler"),
        (("board", "sha256"), "0" * 64, "board file"), (("core", "sha256"), "0" * 64, "core file"),
        (("timing", "fidelity"), 1, "fidelity"), (("timing", "grade"), "C", "timing grade"),
    ],
)  # fmt: skip
def test_conditions_that_differ_are_shown(
    key: tuple[str, ...],
    value: Any,
    name: str,
    data: dict[str, Any],
    record: Record,
    tmp_path: Path,
) -> None:
    changed = copy.deepcopy(data)
    place = changed
    for part in key[:-1]:
        place = place[part]
    place[key[-1]] = value
    comparison = compare(record, read_record(write(tmp_path / "b.json", changed)))
    assert [one.name for one in comparison.conditions] == [name]
    assert f"- {name}: " in as_markdown.render(comparison)
    assert name in as_html.render(comparison)


# --- limits


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("2%", "share", 0.02), ("0.5 %", "share", 0.005), ("100 cycles", "cycles", 100),
        ("1 KiB", "B", 1024), ("0.5 ms", "s", 0.0005), ("10 uJ", "J", 1e-5),
        ("2 k", "cycles", 2000),
    ],
)  # fmt: skip
def test_limits_of_growth_are_read(text: str, unit: str, value: float) -> None:
    growth = read_growth(text)
    assert growth.unit == unit and growth.value == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "2", "100", "-1%", "nan%", "5 parsecs", "cycles"])
def test_limits_that_could_mean_several_things_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_growth(text)


def test_a_total_that_is_no_longer_known_exceeds_every_limit(record: Record) -> None:
    unknown = replace(record, totals={**record.totals, "energy": None})
    limit = [read_growth("5 %")]
    assert list(exceeded(compare(record, unknown), limit)) == ["energy: unknown is more than 5 %"]
    assert not list(exceeded(compare(unknown, record), limit))


def test_growth_from_nothing_exceeds_any_share(record: Record) -> None:
    grown = replace(record, totals={**record.totals, "static": 4})
    assert list(exceeded(compare(record, grown), [read_growth("90 %")])) == [
        "static: +4 B is more than 90 %"
    ]


# --- the command


def test_compare_shows_what_changed_and_writes_every_format(
    data: dict[str, Any], stored: Path, tmp_path: Path
) -> None:
    slower = write(tmp_path / "slower.json", one_cycle_more(data))
    page = tmp_path / "diff.html"
    result = command(
        "compare", stored, slower, "--html", page, "--markdown", tmp_path / "m.md",
        "--json", tmp_path / "d.json", "--limit", "0.1%", "--limit", "1 cycles",
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    assert "1,024,307" in result.stdout and "10 of 11 layers unchanged" in result.stdout
    assert json.loads((tmp_path / "d.json").read_text())["totals"]["cycles"]["change"] == 1
    tags = Tags()
    tags.feed(page.read_text())
    assert not tags.opened and not tags.loaded and "script" not in tags.seen
    again = command("compare", stored, slower, "--html", "-")
    assert again.stdout == page.read_text()


def test_what_grew_too_much_ends_with_one(
    data: dict[str, Any], stored: Path, tmp_path: Path
) -> None:
    slower = write(tmp_path / "slower.json", one_cycle_more(data))
    result = command("compare", stored, slower, "--limit", "0 cycles")
    assert result.returncode == 1
    assert result.stderr == "grew too much: cycles: +1 (+0.00%) is more than 0 cycles\n"


def test_a_model_is_compared_with_its_baseline(stored: Path) -> None:
    result = command("compare", DEMO_MODEL, "-b", "nano33ble", "--folder", stored.parent)
    assert result.returncode == 0 and "nothing has changed" in result.stdout
    smaller = command(
        "compare", DEMO_MODEL, "-b", "nano33ble", "--folder", stored.parent, "--optimize", "size"
    )
    assert "conv_2d_s8_dsp → conv_2d_s8" in " ".join(smaller.stdout.split())
    assert "flags: " in smaller.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["compare", DEMO_MODEL, "-b", "rpi_pico"], 3, "tinysim baseline save"),
        (["compare", DEMO_MODEL, "-b", "nonsense"], 2, "nonsense"),
        (["compare", DEMO_MODEL], 2, "--board"),
        (["compare", "x.json"], 2, "two baselines"),
        (["compare", "x.json", "y.json", "--limit", "5"], 2, "--limit"),
        (["compare", "x.json", "y.json", "--json", "-", "--html", "-"], 2, "stdout"),
        (["compare", "x.json", "y.json", "--json", "no/where.json"], 4, "no folder"),
        (["save", DEMO_MODEL], 2, "--board"),
        (["save", "-b", "rpi_pico"], 2, "model"),
    ],
)  # fmt: skip
def test_wrong_use_is_said_and_changes_nothing(
    arguments: list[object], code: int, complaint: str, tmp_path: Path
) -> None:
    result = command(*arguments, cwd=tmp_path)
    assert result.returncode == code, result.stderr
    assert complaint in result.stderr and "Traceback" not in result.stderr
    assert result.stdout == "" and not list(tmp_path.iterdir())


PROJECT = """\
baseline = "costs"
optimize = "size"
[[model]]
path = "net.tflite"
boards = ["rpi_pico", "generic_m4"]
"""


def test_a_whole_project_is_stored_and_found_again(tmp_path: Path) -> None:
    shutil.copy(DEMO_MODEL, tmp_path / "net.tflite")
    (tmp_path / "tinysim.toml").write_text(PROJECT)
    result = command("save", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    names = ["net@generic_m4.json", "net@rpi_pico.json"]
    assert sorted(path.name for path in (tmp_path / "costs").iterdir()) == names
    assert all(name in result.stdout for name in names)
    arguments = ("compare", "net.tflite", "-b", "rpi_pico", "--optimize", "size", "--limit", "0%")
    found = command(*arguments, cwd=tmp_path)
    assert found.returncode == 0 and "nothing has changed" in found.stdout


def test_two_models_never_share_a_file(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(DEMO_MODEL, tmp_path / folder / "net.tflite")
    rows = (f'[[model]]\npath = "{name}/net.tflite"\nboards = "rpi_pico"\n' for name in "ab")
    (tmp_path / "tinysim.toml").write_text("".join(rows))
    result = command("save", cwd=tmp_path)
    assert result.returncode == 3 and "net@rpi_pico.json" in result.stderr
    assert not (tmp_path / ".tinysim").exists()


def test_the_document_shows_what_the_command_prints(tmp_path: Path) -> None:
    if "12.2.1 20221205" not in compiler_version():
        pytest.skip(f"the document was made with GCC 12.2.1, this is {compiler_version()}")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    page = (ROOT / "docs" / "ci.md").read_text()
    (save,) = re.findall(r"```sh\ntinysim baseline (save .+)\n", page)
    ((shown, printed),) = re.findall(r"\$ tinysim baseline (compare .+)\n((?:.*\n)*?)```", page)
    assert command(*save.split(), cwd=tmp_path).returncode == 0
    result = command(*shown.split(), cwd=tmp_path)
    assert [line.rstrip() for line in result.stdout.splitlines()] == printed.splitlines()


def test_hostile_names_stay_text(data: dict[str, Any], tmp_path: Path) -> None:
    hostile = copy.deepcopy(data)
    hostile["model"]["name"] = HOSTILE
    hostile["layers"][0] |= {"name": HOSTILE, "op": HOSTILE, "kernel": HOSTILE}
    hostile["board"]["name"] = hostile["toolchain"]["version"] = HOSTILE
    slower = copy.deepcopy(hostile)
    slower["layers"][0] |= {"cycles": 1, "kernel": HOSTILE + "2"}
    slower["toolchain"]["version"] = HOSTILE + "2"
    a, b = (write(tmp_path / f"{n}.json", d) for n, d in enumerate((hostile, slower)))
    result = command("compare", a, b, "--html", tmp_path / "p.html", "--markdown", tmp_path / "m")
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout and "[bold]" in result.stdout
    assert "<script" not in (tmp_path / "p.html").read_text()
    markdown = (tmp_path / "m").read_text()
    assert "@everyone" not in markdown and "https://" not in markdown and "`" not in markdown
    assert all(
        line.count("|") == 9
        for line in markdown.splitlines()
        if "alert" in line[:40] and line[0] == "|"
    )
