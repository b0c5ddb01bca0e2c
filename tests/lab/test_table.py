"""Tables and charts of rows that are made up, and so known."""

from __future__ import annotations

import csv
import io
import json
import statistics
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from tinysim.budget.measure import Measured, wilson
from tinysim.lab.measure import OnBoard, Row
from tinysim.lab.recipe import Recipe
from tinysim.lab.report.chart import Chart, Limit, Point, Series, svg
from tinysim.lab.report.charts import charts
from tinysim.lab.report.page import page
from tinysim.lab.report.published import Published, published_table
from tinysim.lab.report.table import (
    Spread,
    as_markdown,
    board_table,
    confusion_tables,
    model_table,
    to_csv,
    to_json,
)


def row(repeat: int, stage: str, right: int, cycles: int | None) -> Row:
    """Return a row of ten samples."""
    latency = None if cycles is None else Measured(cycles / 64e6, cycles / 70e6, cycles / 60e6)
    return Row(
        repeat=repeat,
        chain=("model", *stage.split("/")) if stage != "model" else ("model",),
        group=stage,
        values={},
        notes={"epochs": "3"},
        is_converted=stage.endswith("int8"),
        parameters=1000,
        nonzero_parameters=250,
        float32_bytes=4000,
        tflite_bytes=5000 + repeat,
        tflite_gzip_bytes=3000,
        evaluator="TFLite interpreter",
        samples=10,
        accuracy=wilson(right / 10, 10),
        precision=0.5,
        recall=0.5,
        f1=0.5,
        classes=("cat|dog", "b"),
        confusion=((right, 10 - right), (0, 0)),
        boards=(
            OnBoard("nano33ble", "FITS", 9000, 2000, 1000, 0, cycles, latency, None, "A")
            if cycles
            else OnBoard("nano33ble", "CANNOT RUN", problem="x: is odd; mend it"),
        ),
    )


RECIPE = Recipe(Path("x.toml"), "full", "x", 5, 2, 1, ("nano33ble",), {}, (), ())
ROWS = (
    row(0, "model", 9, 640_000),
    row(0, "odd", 5, None),
    row(1, "model", 7, 640_000),
    row(1, "odd", 5, None),
)


def test_spread() -> None:
    assert Spread.of([1, 2, 4]) == Spread(7 / 3, statistics.stdev([1, 2, 4]))
    assert Spread.of([3]) == Spread(3, 0)
    assert Spread.of([1, None]) is None


def test_models() -> None:
    table = model_table(ROWS)
    line = dict(zip(table.headings, table.lines[0], strict=True))
    assert line["stage"] == "model"
    assert (line["parameters"], line["non-zero"]) == ("1,000", "250")
    assert (line["as float32"], line["gzip"]) == ("4,000 B", "3,000 B")
    assert line["accuracy"] == "80.00 ± 14.14 %"
    interval = wilson(0.8, 10)
    assert line["95 % interval"] == f"{interval.low * 100:.2f} to {interval.high * 100:.2f} %"
    assert len(table.lines) == 2


def test_what_is_stored_in_a_coding_of_its_own_has_a_column_where_there_is_any() -> None:
    assert "Huffman" not in model_table(ROWS).headings
    clustered = replace(row(0, "cluster", 9, 640_000), notes={"stored_bytes": "1234"})
    table = model_table((*ROWS, clustered))
    column = table.headings.index("Huffman")
    assert [line[column] for line in table.lines] == ["-", "-", "1,234 B"]


def test_boards() -> None:
    table = board_table(ROWS)
    good, odd = (dict(zip(table.headings, line, strict=True)) for line in table.lines)
    assert (good["board"], good["cycles"], good["latency"]) == ("nano33ble", "640,000", "10 ms")
    assert (good["energy"], good["verdict"]) == ("-", "FITS")
    assert (odd["cycles"], odd["verdict"]) == ("-", "x: is odd; mend it")


def test_confusion_is_of_all_repeats() -> None:
    assert confusion_tables(ROWS)[0].lines == (("cat|dog", "16", "4"), ("b", "0", "0"))


def test_markdown_has_as_many_cells_in_each_line() -> None:
    (table,) = confusion_tables(ROWS[:1])
    heading, *lines = as_markdown(table).splitlines()
    assert set(lines[0]) == set("| -:"), "the line that makes it a table"
    assert {line.count("|") for line in lines} == {heading.count("|")} == {4}


def test_page_has_figures_tables_and_notes() -> None:
    told = (Published("model", "nano33ble", "latency", 0.02, "a | paper"),)
    text = page(ROWS, replace(RECIPE, published=told), ["accuracy.svg"])
    assert "# x\n\n`tinysim lab run x.toml --mode full`, 2 repeats with seeds from 5." in text
    assert "10 test samples, computed by: TFLite interpreter." in text
    assert "![accuracy](accuracy.svg)" in text
    assert "| 10 ms | 20 ms | 0.5 | a &#124; paper |" in text
    assert "- model: epochs 3" in text
    assert text.count("## Confusion") == 2
    assert "Beside what was published" not in page(ROWS, RECIPE, [])


def test_csv_has_plain_numbers() -> None:
    read = list(csv.DictReader(io.StringIO(to_csv(ROWS))))
    assert len(read) == 4
    assert (read[2]["repeat"], read[2]["stage"], read[2]["cycles"]) == ("2", "model", "640000")
    assert float(read[0]["latency [s]"]) == 640_000 / 64e6
    assert read[1]["cycles"] == ""


def test_json_has_everything() -> None:
    first = json.loads(to_json(ROWS))["rows"][0]
    assert first["confusion"] == [[9, 1], [0, 0]]
    assert first["boards"][0]["latency_s"]["value"] == 0.01


def test_charts_of_a_recipe() -> None:
    drawn = charts(ROWS, ["nano33ble"])
    of_boards = ["flash.svg", "latency.svg", "ram.svg"]
    assert {*drawn} == {"accuracy.svg", "size.svg", *of_boards}
    for text in drawn.values():
        root = ET.fromstring(text)
        assert [part.tag.rpartition("}")[2] for part in root][:2] == ["title", "desc"]
        assert root.attrib["aria-labelledby"] == "title desc"
    assert "model 80" in drawn["accuracy.svg"]
    assert drawn["accuracy.svg"].count('class="bar') == 2
    assert drawn["accuracy.svg"].count('class="band') == 1


def test_charts_over_what_each_recipe_goes_through() -> None:
    shares = {"0.5": 500, "0.1": 60}
    rows = [
        replace(
            row(repeat, stage, right, 64_000),
            group=group,
            values={"remaining": share},
            nonzero_parameters=left,
        )
        for share, left in shares.items()
        for repeat, right in ((0, 9), (1, 7))
        for group, stage in (("p", f"p {share}"), ("q", f"p {share}/q {share} int8"))
    ]
    drawn = charts([row(0, "train", 9, 64_000), row(1, "train", 9, 64_000), *rows], ["nano33ble"])
    for text in drawn.values():
        assert "parameters that remain [%]" in text
    spots = ET.fromstring(drawn["accuracy.svg"]).findall(".//{*}path/{*}title")
    assert [one.text for one in spots[:2]] == ["p: 6, 80", "p: 50, 80"]
    changed = ET.fromstring(drawn["quantization.svg"]).findall(".//{*}path/{*}title")
    assert [one.text for one in changed[:2]] == ["q: 6, 0", "q: 50, 0"]


def test_what_scatters_more_than_its_mean_can_be_drawn() -> None:
    rows = [
        replace(row(repeat, "p 0.5", 9, cycles), group="p", values={"remaining": "0.5"})
        for repeat, cycles in enumerate((100, 100, 100_000_000))
    ]
    assert "Latency over parameters" in charts(rows, ["nano33ble"])["latency.svg"]


def test_what_was_published_stands_beside_ours() -> None:
    told = (
        Published("model", "nano33ble", "latency", 0.02, "a paper"),
        Published("model", "", "accuracy", 0.5, "a paper"),
        Published("model", "nano33ble", "power", 0.1, "a paper"),
        Published("int8", "nano33ble", "latency", 0.02, "a paper"),
    )
    table = published_table(ROWS, told)
    assert table.lines == (
        ("model", "nano33ble", "latency", "10 ms", "20 ms", "0.5", "a paper"),
        ("model", "-", "accuracy", "80.00 ± 14.14 %", "50.00 %", "1.6", "a paper"),
        ("model", "nano33ble", "power", "-", "100 mW", "-", "a paper"),
        ("int8", "nano33ble", "latency", "-", "20 ms", "-", "a paper"),
    )


def lines(**changes: bool) -> Chart:
    points = (Point(1, 10, 5, 20), Point(100, 1000))
    limits = (Limit("flash", 500),)
    return Chart(
        "A & b", "said", "x", "y", (Series("s", points), Series("t", points)), limits, **changes
    )


def test_lines_on_logarithmic_axes() -> None:
    text = svg(lines(is_log_x=True, is_log_y=True))
    root = ET.fromstring(text)
    (first, last) = (
        tuple(map(float, spot.split(",")))
        for spot in root.findall(".//{*}polyline")[0].attrib["points"].split()
    )
    assert first[0] < last[0] and first[1] > last[1]
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"A & b", "1", "10", "100", "1k", "flash", "s", "t"} <= set(texts)
    assert "prefers-color-scheme:dark" in text


def test_a_limit_lies_where_its_value_is() -> None:
    import re

    text = svg(Chart("t", "d", "x", "y", (Series("s", (Point("a", 100),)),), (Limit("l", 50),)))
    (limit,) = re.findall(r'class="limit" d="M84 ([\d.]+)H', text)
    bar = ET.fromstring(text).findall(".//{*}rect")[1]
    assert float(limit) == float(bar.attrib["y"]) + float(bar.attrib["height"]) / 2


@pytest.mark.parametrize("points", [(), (Point(1, 1), Point("a", 1)), (Point(1, 0), Point(2, 1))])
def test_what_cannot_be_drawn_is_refused(points: tuple[Point, ...]) -> None:
    with pytest.raises(ValueError, match=r"chart|logarithmic"):
        svg(Chart("t", "d", "x", "y", (Series("s", points),), is_log_y=True))
