"""A board file of the user's own: a path, of unknown making, of a board that nobody measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import DEMO_MODEL
from tinysim.boards import board_names, load_board
from tinysim.boards.limits import ALL_BYTES_MAX, FILE_BYTES_MAX, REGION_BYTES_MAX
from tinysim.cli import app
from tinysim.errors import BoardError
from tinysim.simulator.cores import load_core
from tinysim.traces.accuracy import timing_of

ACCURACY = '\n[memory_accuracy]\nerror_low = -0.1\nerror_high = 0.1\nsource = "the test"\n'
OWN = 'extends = "nucleo_l4r5zi"\nname = "mine"\n' + ACCURACY


def written(folder: Path, text: str | bytes) -> str:
    """Write a board file; return its path."""
    path = folder / "mine.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def complaint(folder: Path, text: str | bytes) -> str:
    """Load what must be refused."""
    with pytest.raises(BoardError) as caught:
        load_board(written(folder, text))
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_path_is_loaded_and_graded_by_its_core_not_by_the_board_it_extends(tmp_path: Path) -> None:
    board = load_board(written(tmp_path, OWN))
    known = load_board("nucleo_l4r5zi")
    assert board.name == "mine" and board.regions == known.regions
    assert timing_of(known, load_core(known.core), 3).grade == "A"
    assert timing_of(board, load_core(board.core), 3).grade == "B"


def test_changed_file_is_read_again(tmp_path: Path) -> None:
    assert load_board(written(tmp_path, OWN)).title == "NUCLEO-L4R5ZI"
    assert load_board(written(tmp_path, 'title = "Mine"\n' + OWN)).title == "Mine"


@pytest.mark.parametrize("name", board_names())
def test_every_known_board_would_be_taken_as_a_file(name: str, tmp_path: Path) -> None:
    text = f'extends = "{name}"\nname = "mine"\n{ACCURACY}'
    assert load_board(written(tmp_path, text)).clock == load_board(name).clock


def test_model_runs_on_it(tmp_path: Path) -> None:
    small = OWN + '[region.flash]\nsize_bytes = 8192\nsource = "the [test]"\n'
    result = CliRunner().invoke(
        app,
        ["run", str(DEMO_MODEL), "--board", written(tmp_path, 'title = "My [/board]"\n' + small)],
    )
    assert result.exit_code == 1, result.output
    assert "on My [/board] (cortex_m4f, 120 MHz)" in result.stdout
    assert "DOES NOT FIT: flash over by" in result.stdout


def test_it_may_be_shown(tmp_path: Path) -> None:
    text = OWN + '[clock]\nhz = 80_000_000\nsource = "the [/test]"\n'
    result = CliRunner().invoke(app, ["boards", written(tmp_path, text)])
    assert result.exit_code == 0 and "the [/test]" in result.stdout


def test_measured_name_and_missing_accuracy_are_refused_at_once(tmp_path: Path) -> None:
    message = complaint(tmp_path, 'extends = "generic_m4"\nwithout = ["memory_accuracy"]\n')
    assert "missing 'memory_accuracy'" in message
    assert "name 'generic_m4' is that of a board that is known already" in message


def test_missing_file_folder_and_text_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="cannot be read"):
        load_board(str(tmp_path / "nowhere.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(BoardError, match="cannot be read"):
        load_board(str(tmp_path / "folder.toml"))
    assert "cannot be read" in complaint(tmp_path, b"\xff\xfe\x00")
    assert f"over {FILE_BYTES_MAX:,} bytes" in complaint(tmp_path, b"#" * (FILE_BYTES_MAX + 1))


REGION = '[region.{name}]\nkind = "ram"\nbase = {base}\nsize_bytes = {size}\nsource = "x"\n'


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("a = " + "[" * 100_000, "not TOML"),
        ("a = " + "9" * 10_000, "not TOML"),
        (REGION.format(name="big", base=0x6000_0000, size=2**32), "size_bytes not between"),
        (REGION.format(name="big", base=0x6000_0000, size=-1), "size_bytes not between"),
        (REGION.format(name="high", base=2**32 - 64, size=128), "outside the 4 GB"),
        (REGION.format(name="low", base=-64, size=32), "outside the 4 GB"),
        (REGION.format(name="uart", base=0x4000_0000, size=64), "takes addresses of peripherals"),
        (REGION.format(name="ours", base=0x1EEE_E000, size=64), "takes addresses of the emulator"),
        (
            "".join(
                REGION.format(name=f"r{i}", base=0x6000_0000 + i * 2**26, size=REGION_BYTES_MAX)
                for i in range(3)
            ),
            f"regions hold over {ALL_BYTES_MAX:,} B",
        ),
        (
            "".join(
                REGION.format(name=f"r{i}", base=0x6000_0000 + i * 8192, size=64) for i in range(20)
            ),
            "over 16 regions and banks",
        ),
        (
            REGION.format(name="a", base=0x6000_0000, size=64)
            + REGION.format(name="b", base=0x6000_0100, size=64),
            "share 4 KB",
        ),
        ('[region."x } INCLUDE /etc/passwd"]\nkind = "ram"\n', "missing 3 required"),
        (
            '[region."x*/ y"]\nkind = "ram"\nbase = 0x6000_0000\nsize_bytes = 64\nsource="x"',
            "more than letters",
        ),
        ('[region.flash]\nwait_states = 10_000_000\nsource = "x"', "waits for"),
        ('[region.flash]\nbase = "0"\n', "base is '0', not int"),
        ("[region.flash]\nbase = true\n", "base is True, not int"),
        ('[region.flash]\nsource = "a\\u001b[2J"\n', "not one line of"),
        ("[cache.art_code]\nlines = 1_073_741_824\n", "over 1,048,576 B"),
        ('[cache.art_code]\nenabled_by = "FLASH.ACR"\n', "is no BLOCK.REGISTER.bit"),
        ('[cache.art_code]\nenabled_by = "FLASH.NONE.1"\n', "is no bit of the family's"),
        ('[cache.art_code]\nenabled_by = "FLASH.ACR.40"\n', "is no bit of the family's"),
        (
            '[placement]\ncode = "flash"\ndata = "flash"\nstack = "sram"\narena = []\n',
            "arena names",
        ),
        (
            '[placement]\ncode = "flash"\ndata = "flash"\nstack = "sram"\narena = ["sram"]',
            "written",
        ),
        ('[placement]\ncode = "flash"\ndata = "sram"\nstack = "sram"\narena = [3]', "not tuple"),
    ],
)
def test_what_a_file_may_not_ask_for(more: str, expected: str, tmp_path: Path) -> None:
    assert expected in complaint(tmp_path, OWN + more)


@pytest.mark.parametrize(
    "text",
    [
        'extends = "../../etc/passwd"\n',
        "extends = 3\n",
        'extends = "nano33ble"\nwithout = ["nothing"]\n',
        'extends = "nano33ble"\nwithout = 3\n',
        'extends = "nano33ble"\nregion = 3\n',
        'extends = "nano33ble"\n[region]\nflash = 3\n',
        "region = 3\ncache = []\nclock = 1\nplacement = 2\npower = 3\nmemory_accuracy = 4\n",
        'extends = "nano33ble"\nname = "mine"\nconsole = "UART9"\n' + ACCURACY,
        'extends = "nano33ble"\nname = "mine"\nfamily = "none"\n' + ACCURACY,
        'extends = "nano33ble"\nname = "a/../../b"\n' + ACCURACY,
        'extends = "nano33ble"\nname = "mine"\nhse_hz = -1\n' + ACCURACY,
        'extends = "nano33ble"\nname = "mine"\n' + ACCURACY.replace("-0.1", "nan"),
    ],
)
def test_what_is_not_a_board_is_one_error(text: str, tmp_path: Path) -> None:
    complaint(tmp_path, text)


def test_thousands_of_problems_stay_readable(tmp_path: Path) -> None:
    message = complaint(
        tmp_path, OWN.replace("\n[", "".join(f"\nx{i} = 1" for i in range(5000)) + "\n[", 1)
    )
    assert "and 4,960 more" in message and len(message) < 4000
