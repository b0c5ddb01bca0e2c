"""The cache of files: bounded, shared, killed and damaged, it never says what is not true."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tinysim import cache
from tinysim.cache import Cache, key_of
from tinysim.records import dumps, loads

CACHE = Cache("test", most_entries=5, most_bytes=1000)
#: A process that writes entries of 100 kB as fast as it can.
WRITER = """
import itertools
from tinysim.cache import Cache
cache = Cache("test", 20, 10**7)
for number in itertools.count():
    cache.write(f"{number % 10}", b"%d " % (number % 10) * 50_000)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tinysim" / "test"


def test_what_is_written_is_read(folder: Path) -> None:
    assert CACHE.read("a") is None
    for content in (b"", b"content", bytes(range(256))):
        CACHE.write("a", content)
        assert CACHE.read("a") == content
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_every_damage_is_seen(folder: Path) -> None:
    CACHE.write("a", b"content")
    whole = (folder / "a").read_bytes()
    for place in range(len(whole)):
        for damaged in (whole[:place], whole[:place] + b"?" + whole[place + 1 :]):
            (folder / "a").write_bytes(damaged)
            assert CACHE.read("a") is None
    (folder / "a").write_bytes(whole + b"\0")
    assert CACHE.read("a") is None
    (folder / "b").write_bytes(whole)  # another entry's
    assert CACHE.read("b") is None
    (folder / "a").write_bytes(whole)
    assert CACHE.read("a") == b"content"


def test_what_was_used_longest_ago_goes_first(folder: Path) -> None:
    for number in range(9):
        CACHE.write(str(number), b"")
        os.utime(folder / str(number), (time.time() + number - 20,) * 2)
        assert CACHE.read("0") is not None  # it is used again and again
    assert {path.name for path in folder.iterdir()} == set("05678")


def test_bytes_are_bounded(folder: Path) -> None:
    for number in range(4):
        CACHE.write(str(number), b"x" * 300)
        os.utime(folder / str(number), (time.time() + number - 20,) * 2)
    assert {path.name for path in folder.iterdir()} == set("123")
    CACHE.write("large", b"x" * 1000)  # with its digest it is too large
    assert {path.name for path in folder.iterdir()} == set("123")


def test_remains_of_runs_that_were_killed_are_swept(folder: Path) -> None:
    CACHE.write("a", b"")
    old, young = folder / ".part-old", folder / ".part-young"
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 3600,) * 2)
    CACHE.write("b", b"")
    assert {path.name for path in folder.iterdir()} == {"a", "b", ".part-young"}
    for number in range(5):
        CACHE.write(str(number), b"")
        os.utime(folder / str(number), (time.time() + 9,) * 2)
    assert {path.name for path in folder.iterdir()} == set("01234")  # they count, too


@pytest.mark.parametrize("most_entries", [3, 100])
def test_runs_at_the_same_time_do_no_harm(folder: Path, most_entries: int) -> None:
    shared = Cache("test", most_entries, most_bytes=10**6)

    def work(number: int) -> None:
        for turn in range(40):
            for key in (str(number % 3), f"{number} {turn}"):
                shared.write(key, key.encode() * 20)
                found = shared.read(key)
                assert found == key.encode() * 20 or (found is None and most_entries == 3)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    assert shared.read("1") in (b"1" * 20, None)
    shared.write("last", b"")
    assert len(list(folder.iterdir())) == min(most_entries, 2 + 2 * 40 + 1)


def test_processes_that_are_killed_leave_whole_entries(folder: Path) -> None:
    shared = Cache("test", 20, 10**7)
    for pause_s in (0.0, 0.01, 0.03, 0.06, 0.1):
        writers = [subprocess.Popen([sys.executable, "-c", WRITER]) for _ in range(2)]
        deadline = time.monotonic() + 30
        while shared.read("3") is None:
            assert time.monotonic() < deadline
        time.sleep(pause_s)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        for number in range(10):
            assert shared.read(str(number)) in (None, b"%d " % number * 50_000)
        for path in folder.iterdir():
            if not path.name.startswith(".part-"):
                assert shared.read(path.name) is not None
                path.unlink()


@pytest.mark.parametrize("place", ["/dev/null/none", "relative"])
def test_without_a_folder_nothing_is_kept(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    monkeypatch.setenv("HOME", "/dev/null")
    CACHE.write("a", b"content")
    assert CACHE.read("a") is None


def test_what_lies_in_the_way_is_no_entry(folder: Path) -> None:
    (folder / "a").mkdir(parents=True)
    CACHE.write("a", b"content")
    assert CACHE.read("a") is None
    CACHE.write("b", b"content")
    assert CACHE.read("b") == b"content"


def test_keys_tell_values_and_code_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [
        key_of([]), key_of([], 1), key_of([], "1"), key_of([], 1, 1), key_of(["boards"]),
        key_of(["kernels"]), key_of(["boards", "kernels"]), key_of(["firmware"]),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert key_of(["boards"], (1.5, None)) == key_of(["boards"], (1.5, None))
    main = tmp_path / "__init__.py"
    for text in ("1", "2"):
        main.write_text(text)
        cache._sources.cache_clear()
        monkeypatch.setattr(cache, "import_module", lambda name: pytest)
        monkeypatch.setattr(pytest, "__file__", str(main))
        keys.append(key_of(["boards"]))
    cache._sources.cache_clear()
    assert len(set(keys)) == len(keys)


@dataclass(frozen=True)
class Part:
    sizes: tuple[int, ...]
    pair: tuple[int, str] = (1, "one")


@dataclass(frozen=True)
class Whole:
    name: str
    share: float | None
    parts: tuple[Part, ...]
    is_good: bool = True
    image: bytes = bytes(range(256))
    places: Mapping[str, Part] = field(default_factory=lambda: {"a": Part((7,))})


WHOLE = Whole('"é\n', 0.1 + 0.2, (Part(()), Part((1, 2))))


def test_records_come_back() -> None:
    for record in (WHOLE, Whole("", None, ())):
        assert loads(Whole, dumps(record)) == record
    assert dumps(WHOLE).count(b"\n") == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"[1, 2]", b"[1, true]"),
        (b"[1, 2]", b"[1, 2.0]"),
        (b"[1, 2]", b"12"),
        (b'[1, "one"]', b'[1, "one", 2]'),
        (b'[1, "one"]', b"[1]"),
        (b'"is_good": true', b'"is_good": 1'),
        (b'"is_good"', b'"is_bad"'),
        (b', "is_good": true', b""),
        (b'"AAEC', b'"A!EC'),
        (b'"AAEC', b'"AAEC='),
        (b'{"a"', b'["a"'),
        (b"[7]", b"[null]"),
        (b'"is_good": true', b'"is_good": true, "more": 1'),
        (b"0.30000000000000004", b'"much"'),
        (b"{", b"["),
        (b"}", b""),
        (b"0.30000000000000004", b"[" * 100_000),
    ],
)
def test_records_are_checked(old: bytes, new: bytes) -> None:
    text = dumps(WHOLE)
    assert old in text
    with pytest.raises(ValueError):
        loads(Whole, text.replace(old, new))
