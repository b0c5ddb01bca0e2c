"""Reports for other tools: each is read as its tool reads it, and says what the profile says."""

from __future__ import annotations

import csv as csv_module
import io
import json
import sqlite3
from collections import defaultdict
from dataclasses import fields, replace
from typing import Any

import jsonschema
import pytest
import tflite
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import tinysim
from tests.conftest import DEMO_MODEL, ROOT
from tests.small_profile import HOSTILE, counters, small_profile
from tinysim.report import holds_several, model_explorer, render, render_all
from tinysim.simulator.profile import STALLS, HotLoop, LayerProfile, OutputCheck, Profile

SCHEMA = json.loads((ROOT / "src" / "tinysim" / "report" / "profile.schema.json").read_text())
SPEEDSCOPE = json.loads((ROOT / "tests" / "schemas" / "speedscope.schema.json").read_text())


@pytest.fixture(scope="module")
def demo() -> Profile:
    return tinysim.run(DEMO_MODEL, "nano33ble")


def trace_database(trace: str) -> sqlite3.Connection:
    """Load a trace into tables named as Perfetto's, by the rules of the Trace Event format.

    Slices of a thread nest by time: one lies in the last that has not ended when it begins.
    """
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE slice (id, parent_id, thread, name, ts, dur, cycles, own)")
    database.execute("CREATE TABLE counter (name, ts, value)")
    events = json.loads(trace)["traceEvents"]
    threads = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    open_slices: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, event in enumerate(events):
        if event["ph"] == "C":
            (value,) = event["args"].values()
            row = (event["name"], round(event["ts"] * 1000), value)
            database.execute("INSERT INTO counter VALUES (?, ?, ?)", row)
        elif event["ph"] == "X":
            start, dur = round(event["ts"] * 1000), round(event["dur"] * 1000)
            stack = open_slices[event["tid"]]
            while stack and stack[-1][1] <= start:
                stack.pop()
            parent = stack[-1][0] if stack else None
            assert not stack or start + dur <= stack[-1][1], "ends behind what it lies in"
            args = event["args"]
            database.execute(
                "INSERT INTO slice VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (number, parent, threads[event["tid"]], event["name"], start, dur,
                 args["cycles"], args.get("own_cycles")),
            )  # fmt: skip
            stack.append((number, start + dur))
        else:
            assert event["ph"] == "M"
    return database


def test_trace_answers_queries(demo: Profile) -> None:
    database = trace_database(render(demo, "perfetto"))

    def ask(query: str) -> Any:
        return database.execute(query).fetchone()

    assert ask("SELECT COUNT(*), SUM(cycles) FROM slice WHERE thread = 'layers'") == (
        len(demo.layers) + 1, demo.cycles,
    )  # fmt: skip
    (end,) = ask("SELECT MAX(ts + dur) FROM slice WHERE thread = 'layers'")
    assert end == round(demo.latency_s * 1e9)
    assert ask(
        "SELECT COUNT(*) FROM slice a JOIN slice b ON a.thread = b.thread AND a.id < b.id "
        "AND a.parent_id IS b.parent_id AND b.ts < a.ts + a.dur"
    ) == (0,), "slices beside each other overlap"
    hottest = max(
        (function for function in demo.functions if not function.name.startswith("ts_layer")),
        key=lambda function: function.own.cycles,
    )
    assert ask(
        "SELECT name, SUM(own) FROM slice WHERE thread = 'functions' AND parent_id IS NOT NULL "
        "GROUP BY name ORDER BY 2 DESC LIMIT 1"
    ) == (hottest.name, hottest.own.cycles)
    assert ask(
        "SELECT COUNT(*) FROM slice s WHERE thread = 'functions' AND cycles != own + "
        "(SELECT COALESCE(SUM(cycles), 0) FROM slice c WHERE c.parent_id = s.id)"
    ) == (0,), "a function's cycles are its own and those of what it called"
    slowest = max(demo.layers, key=lambda layer: layer.counters.cycles)
    (name,) = ask("SELECT name FROM slice WHERE thread = 'layers' ORDER BY dur DESC LIMIT 1")
    assert name.startswith(f"{slowest.index} {slowest.op} ")


def test_counters_of_the_trace_follow_arena_and_energy(demo: Profile) -> None:
    database = trace_database(render(demo, "perfetto"))
    arena = [
        row[0] for row in database.execute("SELECT value FROM counter WHERE name LIKE 'arena%'")
    ]
    assert len(arena) == len(demo.layers) + 1
    assert max(arena) == demo.arena_bytes == demo.arena_lower_bound_bytes
    assert arena[-1] == sum(info.size_bytes for info in demo.output_infos)
    spent = [
        row[0] for row in database.execute("SELECT value FROM counter WHERE name LIKE 'energy%'")
    ]
    assert demo.energy is not None
    assert spent == sorted(spent) and spent[0] == 0
    assert spent[-1] == pytest.approx(demo.energy.typical_j)


def test_trace_of_a_board_without_power_has_no_energy() -> None:
    assert "energy" not in render(small_profile(energy=None), "perfetto")


def test_small_trace() -> None:
    database = trace_database(render(small_profile(), "perfetto"))
    rows = "SELECT name, ts, dur FROM slice WHERE thread = ? ORDER BY id"
    assert database.execute(rows, ("layers",)).fetchall() == [
        ("0 CONV_2D a/conv", 0, 60_000),
        ("1 FULLY_CONNECTED b/dense", 60_000, 30_000),
        ("between layers", 90_000, 10_000),
    ]
    assert database.execute(rows, ("functions",)).fetchall() == [
        ("0 CONV_2D a/conv", 0, 60_000),
        ("kernel", 1_000, 59_000),
        ("inner", 10_000, 50_000),
        ("1 FULLY_CONNECTED b/dense", 60_000, 30_000),
        ("dense", 60_000, 30_000),
    ]
    arena = database.execute("SELECT ts, value FROM counter WHERE name LIKE 'arena%'").fetchall()
    assert arena == [(0, 48), (60_000, 16), (100_000, 4)]


PATHS = st.lists(
    st.tuples(st.lists(st.sampled_from("abc"), max_size=4), st.integers(1, 10**6)), max_size=12
)


@settings(deadline=None)
@given(below=st.lists(PATHS, min_size=1, max_size=4), clock_hz=st.integers(1_000_000, 600_000_000))
def test_any_call_tree_nests_at_any_clock(
    below: list[list[tuple[list[str], int]]], clock_hz: int
) -> None:
    paths = [
        (("invoke", f"ts_layer_{index:03d}", *names), cycles)
        for index, rows in enumerate(below)
        for names, cycles in rows
    ]
    layers = [
        LayerProfile(index, "n", "OP", "k", (1,), 0, counters(0, sum(c for _, c in rows)))
        for index, rows in enumerate(below)
    ]
    profile = small_profile(layers=tuple(layers), paths=tuple(paths), clock_hz=clock_hz)
    database = trace_database(render(profile, "perfetto"))
    (own,) = database.execute("SELECT SUM(own) FROM slice WHERE thread = 'functions'").fetchone()
    assert own == profile.cycles - profile.runtime.cycles


def test_speedscope_keeps_the_published_rules(demo: Profile) -> None:
    """Its schema, and what the text beside the schema demands: order, balance, lengths."""
    data = json.loads(render(demo, "speedscope"))
    jsonschema.validate(data, SPEEDSCOPE)
    frames = [frame["name"] for frame in data["shared"]["frames"]]
    functions, layers = data["profiles"]
    assert len(functions["samples"]) == len(functions["weights"])
    assert all(0 <= frame < len(frames) for stack in functions["samples"] for frame in stack)
    assert sum(functions["weights"]) == functions["endValue"] == demo.cycles
    opened: list[int] = []
    at = layers["startValue"]
    for event in layers["events"]:
        assert event["at"] >= at
        at = event["at"]
        if event["type"] == "O":
            opened.append(event["frame"])
        else:
            assert event["type"] == "C" and opened.pop() == event["frame"]
    assert not opened and at == layers["endValue"] == round(demo.latency_s * 1e9)


def test_stacks_of_a_model_are_functions_below_layers() -> None:
    assert render(small_profile(), "collapsed").splitlines() == [
        "0_CONV_2D_a/conv 10",
        "0_CONV_2D_a/conv;kernel 90",
        "0_CONV_2D_a/conv;kernel;inner 500",
        "1_FULLY_CONNECTED_b/dense;dense 300",
        "between_layers 100",
    ]


def test_stacks_without_call_paths_are_layers() -> None:
    assert render(small_profile(paths=()), "collapsed").splitlines() == [
        "0_CONV_2D_a/conv 600",
        "1_FULLY_CONNECTED_b/dense 300",
        "between_layers 100",
    ]


def test_node_data_lies_on_operators_of_the_model_file(demo: Profile) -> None:
    """As Model Explorer does it: a key is the whole name of an output tensor."""
    graph = tflite.Model.GetRootAs(DEMO_MODEL.read_bytes(), 0).Subgraphs(0)
    outputs = {
        graph.Tensors(graph.Operators(index).Outputs(0)).Name().decode()
        for index in range(graph.OperatorsLength())
    }
    results = json.loads(render(demo, "model_explorer"))["results"]
    assert results.keys() == outputs and len(outputs) == len(demo.layers)
    assert sum(row["value"] for row in results.values()) == demo.cycles - demo.runtime.cycles


NUMBER = {"type": "object", "required": ["value"], "properties": {"value": {"type": "number"}}}
NODE_DATA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["results"],
    "properties": {
        "name": {"type": "string"},
        "results": {"type": "object", "additionalProperties": NUMBER},
        "gradient": {
            "type": "array",
            "items": {
                "required": ["stop"],
                "additionalProperties": False,
                "properties": {
                    "stop": {"type": "number", "minimum": 0, "maximum": 1},
                    "bgColor": {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
                },
            },
        },
    },
}


@pytest.mark.parametrize(
    ("name", "values"),
    [("cycles", [600, 300]), ("stall_cycles", [100, 50]), ("energy_j", [6e-7, 3e-7])],
)
def test_node_data_sets(name: str, values: list[float]) -> None:
    data = json.loads(model_explorer.data_sets(small_profile())[name])
    jsonschema.validate(data, NODE_DATA)
    assert {item["stop"] for item in data["gradient"]} == {0, 1}
    assert list(data["results"]) == ["a/conv;a/bias", "b/dense"]
    assert [row["value"] for row in data["results"].values()] == pytest.approx(values)


def test_node_data_without_numbers_is_left_out() -> None:
    assert list(model_explorer.data_sets(small_profile(energy=None))) == ["cycles", "stall_cycles"]


def read_csv(text: str) -> list[dict[str, str]]:
    assert text.endswith("\r\n")
    return list(csv_module.DictReader(io.StringIO(text, newline=""), strict=True))


def test_rows_of_csv_add_up(demo: Profile) -> None:
    *parts, total = read_csv(render(demo, "csv"))
    assert [row["row"] for row in parts] == ["layer"] * len(demo.layers) + ["runtime"]
    assert total["row"] == "total" and int(total["cycles"]) == demo.cycles
    stalls = [f"stall_{cause}_cycles" for cause in STALLS]
    for column in ("macs", "instructions", "cycles", "issue_cycles", *stalls):
        assert sum(int(row[column]) for row in parts) == int(total[column]), column
    for column in ("share", "latency_s", "energy_j"):
        assert sum(float(row[column]) for row in parts) == pytest.approx(float(total[column]))
    for row in (*parts, total):
        assert sum(int(row[column]) for column in ("issue_cycles", *stalls)) == int(row["cycles"])


def test_small_csv() -> None:
    first = render(small_profile(energy=None), "csv").split("\r\n")[1]
    assert first == (
        "layer,0,a/conv,CONV_2D,conv_2d_s8,1x2x2x3,96,450,600,0.6,6e-05,,500,"
        "60,0,0,0,0,0,0,0,0,40,0,0"
    )


@pytest.mark.parametrize("name", [HOSTILE, "+1", "-2+3", "@SUM(A1)", "=1\n,2", '"q",\r\n'])
def test_no_cell_of_csv_is_a_formula(name: str) -> None:
    profile = small_profile()
    layers = (replace(profile.layers[0], name=name), profile.layers[1])
    row, *_ = rows = read_csv(render(replace(profile, layers=layers), "csv"))
    assert len(rows) == 4 and None not in row
    assert not row["name"].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert row["name"].isprintable() and row["cycles"] == "600"


MARKDOWN = """\
### <code>small.tflite</code> on <code>toy</code>

**FITS**

|  | value | between | and |
| --- | --- | --- | --- |
| latency | 100 us | 80 us | 125 us |
| cycles | 1,000 |  |  |
| energy | 1 uJ | 800 nJ | 2 uJ |
| MACs | 144 |  |  |
| RAM | 160 B |  |  |
| flash | 768 B |  |  |

| slowest layers | operator | cycles | share | most lost to |
| --- | --- | --- | --- | --- |
| 0 <code>a/conv</code> | CONV_2D | 600 | 60.0% | load 10% |
| 1 <code>b/dense</code> | FULLY_CONNECTED | 300 | 30.0% | branch 17% |

| memory | used | of | share | for |
| --- | --- | --- | --- | --- |
| flash (flash) | 768 B | 4,096 B | 18.8% | weights 512, code 256 |
| sram (ram) | 160 B | 1,024 B | 15.6% | stack 96, arena 64 |

<details><summary>Conditions</summary>

- board: Toy board, cortex_m4f, 10 MHz
- grade A: error -20% to +25%, fidelity 3
- output: exact, up to 0 apart from numpy
- arena 64 B, at best 48 B; stack 96 B
- model <code>{sha256}</code>
- gcc 1.2, <code>-O2</code>
- tinysim 9.9
- removed RESHAPE r&#58; a view, costs nothing

</details>
"""


def test_small_markdown() -> None:
    assert render(small_profile(), "markdown") == MARKDOWN.format(sha256="ab" * 32)


def test_markdown_shows_any_name_as_it_is() -> None:
    """Rendered as a viewer renders it: no markup, link or further cell comes from a name."""
    profile = small_profile()
    layers = (replace(profile.layers[0], name="__x__|<b>*y*`"), profile.layers[1])
    hostile = replace(profile, model_name=HOSTILE, layers=layers, removed=(HOSTILE,))
    html = MarkdownIt("commonmark").enable("table").render(render(hostile, "markdown"))
    for markup in ("<script", "<a ", "<b>", "<em>", "<strong>x"):
        assert markup not in html
    assert "<td>0 <code>__x__|&lt;b&gt;*y*`</code></td>" in html
    assert html.count("<td>600</td>") == 1 and html.count("<td>60.0%</td>") == 1
    assert "@" not in render(hostile, "markdown"), "would call somebody"


def test_markdown_says_the_worst_first() -> None:
    profile = small_profile(output_check=OutputCheck("mismatch", "numpy", 7))
    flash, ram = profile.regions
    profile = replace(profile, regions=(replace(flash, size_bytes=500), ram))
    lines = render(profile, "markdown").splitlines()
    assert lines[2] == "**DOES NOT FIT&#58; flash over by 268 B (largest&#58; weights, 512 B)**"
    assert lines[4] == "**OUTPUT WRONG: differs from the host's by 7. Do not trust this run.**"
    assert "768 B **over by 268 B**" in "\n".join(lines)


def test_markdown_keeps_the_slowest_layers() -> None:
    layers = tuple(
        LayerProfile(index, f"n{index}", "ADD", "add", (1,), 0, counters(1, 10 + index))
        for index in range(13)
    )
    text = render(small_profile(layers=layers, paths=()), "markdown")
    assert "| 12 <code>n12</code> | ADD | 22 |" in text and "<code>n2</code>" not in text
    assert "| 3 faster |  | 33 |" in text


def test_benchmark_numbers_are_named_by_model_and_board() -> None:
    profile = small_profile()
    entries = json.loads(render_all([profile, replace(profile, board="toy2")], "smaller_is_better"))
    names = [entry["name"] for entry in entries]
    assert len(set(names)) == len(names) == 18
    assert {name.partition(": ")[0] for name in names} == {
        "small.tflite on toy",
        "small.tflite on toy2",
    }
    for entry in entries:
        assert entry.keys() <= {"name", "unit", "value", "range", "extra"}
        assert isinstance(entry["value"], int | float)
    values = {entry["name"].partition("toy: ")[2]: entry["value"] for entry in entries[:9]}
    assert values == {
        "cycles": 1000, "latency": pytest.approx(1e-4), "energy": 1e-6, "ram": 160, "arena": 64,
        "stack": 96, "flash": 768, "layer 0 CONV_2D a/conv": 600,
        "layer 1 FULLY_CONNECTED b/dense": 300,
    }  # fmt: skip


def test_formats_that_hold_several_profiles() -> None:
    assert holds_several("json") and holds_several("smaller_is_better")
    assert not holds_several("csv")
    assert len(json.loads(render_all([small_profile()] * 2, "json"))) == 2


@pytest.mark.parametrize("make", [small_profile, lambda: tinysim.run(DEMO_MODEL, "generic_m4")])
def test_json_follows_the_schema(make: Any) -> None:
    profile = make()
    data = json.loads(render(profile, "json"))
    jsonschema.validate(data, SCHEMA)
    assert data.keys() == SCHEMA["properties"].keys() == set(SCHEMA["required"])
    assert len(data["tensors"]) == len(profile.tensors) > 0
    assert sum(path["cycles"] for path in data["paths"]) == profile.cycles
    if profile.energy:
        parts = [layer["energy_j"] for layer in data["layers"]]
        rest = profile.energy_j(profile.runtime.cycles)
        assert sum(parts) + rest == pytest.approx(data["totals"]["energy_j"])


def closed_objects(schema: Any) -> list[dict[str, Any]]:
    """Every description of an object with named properties, but for those that others extend."""
    found = []
    if isinstance(schema, dict):
        if "properties" in schema and "required" in schema:
            found.append(schema)
        for key, value in schema.items():
            found += closed_objects(value) if key != "counters" or "$defs" not in schema else []
    elif isinstance(schema, list):
        found = [one for part in schema for one in closed_objects(part)]
    return found


def test_schema_knows_every_property() -> None:
    definitions = {k: v for k, v in SCHEMA["$defs"].items() if k != "counters"}
    objects = closed_objects({**SCHEMA, "$defs": definitions})
    assert len(objects) > 20
    for one in objects:
        closed = one.get("additionalProperties", one.get("unevaluatedProperties"))
        assert closed is False, sorted(one["properties"])


@pytest.mark.parametrize(
    "place",
    [(), ("model",), ("layers", 0), ("totals",), ("loops", 0), ("runtime",), ("tensors", 0)],
)
def test_schema_refuses_what_it_does_not_know(place: tuple[Any, ...]) -> None:
    data = here = json.loads(render(small_profile(), "json"))
    for key in place:
        here = here[key]
    here["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.validate(data, SCHEMA)


def test_schema_has_every_field_of_a_loop() -> None:
    described = SCHEMA["properties"]["loops"]["items"]["properties"]
    assert described.keys() == {field.name for field in fields(HotLoop)}
