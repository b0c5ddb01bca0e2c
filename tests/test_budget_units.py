"""Quantities of budgets: read, refused, written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinysim.budget import METRICS
from tinysim.budget.units import FAMILIES, OTHER_FAMILIES, read, read_unit, write, write_band

CASES = [
    ("64 KiB", "ram", 65536),
    ("1.5KiB", "arena", 1536),
    ("200 kB", "flash", 200_000),
    (2048, "stack", 2048),
    ("50 ms", "latency", 0.05),
    ("7 µs", "latency", 7e-6),
    ("1.2 mJ", "energy", 0.0012),
    ("2 M", "cycles", 2_000_000),
    ("2 M cycles", "cycles", 2_000_000),
    ("2e6", "cycles", 2_000_000),
    ("2_000_000", "cycles", 2_000_000),
    (2e6, "cycles", 2_000_000),
    ("97 %", "accuracy", 0.97),
    ("97%", "accuracy", 0.97),
    (0.97, "accuracy", 0.97),
    ("150 %", "regression", 1.5),
    (0, "stack", 0),
]


@pytest.mark.parametrize(("written", "metric", "value"), CASES)
def test_reads(written: object, metric: str, value: float) -> None:
    assert read(written, metric) == value


@pytest.mark.parametrize(
    ("written", "metric", "what"),
    [
        ("64 KB", "ram", "has the unit KB; write it like 64 KiB"),  # 1000 or 1024?
        ("64 kib", "ram", "has the unit kib"),
        ("50", "latency", "has no unit; write it like 50 ms"),
        (50, "latency", "has no unit"),
        ("5 ms", "energy", "has the unit ms; write it like 1.2 mJ"),
        ("5 mJ", "cycles", "has the unit mJ"),
        ("1,5 ms", "latency", "is no number"),
        ("1_ ms", "latency", "is no number"),
        ("٣ ms", "latency", "is no number"),
        ("-1 ms", "latency", "is negative"),
        (-1, "cycles", "is negative"),
        (-0.5, "accuracy", "is negative"),
        (math.nan, "cycles", "is no number"),
        ("nan", "cycles", "is no number"),
        (math.inf, "ram", "is no number"),
        ("inf", "ram", "is no number"),
        (True, "ram", "true is no number"),
        ([], "ram", "is no number"),
        ({}, "ram", "is no number"),
        ("", "ram", "is no number"),
        ("1e400", "cycles", "is too large"),
        ("1e999999999", "cycles", "is too large"),
        ("20000 PB", "ram", "has the unit PB"),
        (97, "accuracy", "is more than 100 %; write it like 97 % or 0.97"),
        ("101 %", "headroom", "is more than 100 %"),
        (2, "regression", "is more than 100 %"),
    ],
)
def test_refuses(written: object, metric: str, what: str) -> None:
    with pytest.raises(ValueError) as caught:
        read(written, metric)
    assert what in str(caught.value) and "write it like" in str(caught.value)


def test_refuses_numbers_that_python_would_not_even_write() -> None:
    with pytest.raises(ValueError, match="a huge number is too large; write it like 64 KiB"):
        read(10**5000, "ram")
    with pytest.raises(ValueError, match="a huge number is negative"):
        read(-(10**5000), "ram")


def test_every_metric_has_a_family() -> None:
    assert set(METRICS.values()) == FAMILIES.keys()


@given(written=st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none()))
def test_reads_a_quantity_or_refuses(written: object) -> None:
    for unit in (*FAMILIES, *OTHER_FAMILIES):
        try:
            value = read_unit(written, unit)
        except ValueError:
            continue
        assert 0 <= value < 2**64


@given(value=st.floats(1e-9, 1e12), unit=st.sampled_from(["s", "J", "share"]))
def test_what_is_written_reads_the_same(value: float, unit: str) -> None:
    """To the digits that are written; and then for ever."""
    once = read_unit(write(value, unit).replace(",", ""), unit)
    assert once == pytest.approx(value, rel=5.1e-4)
    assert write(once, unit) == write(value, unit)


@given(value=st.integers(0, 2**53), unit=st.sampled_from(["B", "cycles"]))
def test_whole_numbers_are_written_to_the_last(value: int, unit: str) -> None:
    assert read_unit(write(value, unit).replace(",", ""), unit) == value


@given(number=st.decimals(0, 10**6, places=3), unit=st.sampled_from(["ms", "us", "s"]))
def test_decimals_are_read_exactly(number: object, unit: str) -> None:
    """As Python reads the same number, not with the error of a product of two floats."""
    exponent = {"s": "", "ms": "e-3", "us": "e-6"}[unit]
    assert read(f"{number} {unit}", "latency") == float(f"{number}{exponent}")


def test_writes() -> None:
    assert write(0.0072, "s") == "7.2 ms"
    assert write(0, "J") == "0 J"
    assert write(2e-10, "J") == "0.2 nJ"
    assert write(1234.6, "s") == "1,235 s"
    assert write(1234567, "cycles") == "1,234,567 cycles"
    assert write(0.29, "share") == "29 %"
    assert write(-0.0005, "s") == "-500 us"


def test_bands_share_a_unit_if_they_can() -> None:
    assert write_band(0.016, 0.0143, 0.0186, "s") == "16 (14.3 to 18.6) ms"
    assert write_band(0.001, 0.0009, 0.0011, "s") == "1 ms (900 us to 1.1 ms)"
    assert write_band(7, 7, 7, "B") == "7 B"
