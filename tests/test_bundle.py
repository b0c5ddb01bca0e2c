"""Bundles: whole or no bundle, the same bytes for the same run, and honest about what is wrong."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import DEMO_MODEL, ROOT
from tests.small_profile import HOSTILE, small_profile
from tests.test_cli import failure, tinysim
from tinysim.bundle import MANIFEST, bundle, defects, time_stamp
from tinysim.cli import files
from tinysim.errors import OutputError
from tinysim.issues import CODES, VALIDITIES, issues_of, validity_of
from tinysim.report import FORMATS
from tinysim.simulator.profile import OutputCheck, Profile, Timing

THEN = datetime(2026, 1, 2, tzinfo=UTC)


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_bundle_is_what_its_manifest_lists(tmp_path: Path) -> None:
    made = bundle(small_profile(), THEN)
    assert list(made)[-1] == MANIFEST
    listed = {row["path"]: row for row in json.loads(made[MANIFEST])["files"]}
    assert listed.keys() | {MANIFEST} == made.keys()
    files.write_bundle(tmp_path / "new" / "folder", made)
    assert contents(tmp_path / "new" / "folder") == made
    assert defects(tmp_path / "new" / "folder") == []


def test_only_the_time_stamp_tells_two_bundles_apart() -> None:
    first = bundle(small_profile(), THEN)
    assert bundle(small_profile(), THEN) == first
    later = bundle(small_profile(), THEN.replace(hour=1))
    changed = {name for name in first if first[name] != later[name]}
    assert changed == {"metadata.json", MANIFEST}
    assert json.loads(later["metadata.json"])["created"] == "2026-01-02T01:00:00+00:00"


def test_time_stamp_is_the_present_or_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert time_stamp() == datetime(1970, 1, 2, tzinfo=UTC)
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert abs((time_stamp() - datetime.now(UTC)).total_seconds()) < 60


def test_arrays_and_data_of_a_bundle() -> None:
    made = bundle(small_profile(energy=None), THEN)
    assert np.load(io.BytesIO(made["outputs/0.npy"])).tolist() == [[1, 2, 3, 4]]
    assert "model_explorer/cycles.json" in made and "model_explorer/energy_j.json" not in made
    metadata = json.loads(made["metadata.json"])
    assert metadata["toolchain"] == {"compiler": "gcc", "version": "gcc 1.2", "flags": ["-O2"]}
    assert metadata["timing"]["source"] == "3 programs" and metadata["clock_hz"] == 10_000_000
    for name, content in made.items():
        if name.endswith(".json"):
            json.loads(content)


def test_no_name_of_a_model_gets_into_a_path() -> None:
    profile = small_profile()
    layers = (replace(profile.layers[0], name=HOSTILE, tensor="../" + HOSTILE), profile.layers[1])
    hostile = replace(profile, model_name="../../" + HOSTILE, layers=layers)
    assert bundle(hostile, THEN).keys() == bundle(profile, THEN).keys()


def test_what_is_wrong_with_a_bundle_is_told_at_once(tmp_path: Path) -> None:
    files.write_bundle(tmp_path, bundle(small_profile(), THEN))
    (tmp_path / "layers.csv").unlink()
    (tmp_path / "report.md").write_text("short")
    stacks = tmp_path / "stacks.txt"
    stacks.write_bytes(stacks.read_bytes().replace(b"conv", b"vnoc"))
    found = defects(tmp_path)
    assert [line.partition(":")[0] for line in found] == ["layers.csv", "report.md", "stacks.txt"]
    assert "No such file" in found[0] and "has 5 bytes" in found[1] and "changed" in found[2]
    (tmp_path / MANIFEST).write_text("[]")
    assert "cannot be read" in defects(tmp_path)[0]
    (tmp_path / MANIFEST).unlink()
    assert defects(tmp_path) == ["manifest.json: missing, so the run has not ended"]


@pytest.mark.parametrize("written", [0, 1, 5, 12])
def test_bundle_that_is_cut_off_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """Not even where an older bundle lay."""
    made = bundle(small_profile(), THEN)
    files.write_bundle(tmp_path, made)
    write_file, count = files.write_file, iter(range(written))

    def stop(path: Path, content: bytes) -> None:
        if next(count, None) is None:
            raise OutputError("the disk is full", where=str(path), fix="make room")
        write_file(path, content)

    monkeypatch.setattr(files, "write_file", stop)
    with pytest.raises(OutputError):
        files.write_bundle(tmp_path, bundle(small_profile(energy=None), THEN))
    assert defects(tmp_path) == ["manifest.json: missing, so the run has not ended"]


def overflowing(kind: str) -> Profile:
    profile = small_profile()
    regions = [replace(r, size_bytes=100) if r.kind == kind else r for r in profile.regions]
    return replace(profile, regions=tuple(regions))


def graded(grade: str) -> Profile:
    return small_profile(timing=Timing(grade, -0.2, 0.2, 3, "manuals"))


def checked(status: str) -> Profile:
    return small_profile(output_check=OutputCheck(status, "host", 3))


@pytest.mark.parametrize(
    ("profile", "code", "validity"),
    [
        (checked("mismatch"), "TS-OUTPUT-MISMATCH", "invalid"),
        (checked("unchecked"), "TS-OUTPUT-UNCHECKED", "degraded"),
        (checked("close"), "TS-OUTPUT-ROUNDED", "valid"),
        (overflowing("flash"), "TS-FLASH-OVERFLOW", "degraded"),
        (overflowing("ram"), "TS-RAM-OVERFLOW", "degraded"),
        (graded("B"), "TS-GRADE-B", "valid"),
        (graded("C"), "TS-GRADE-C", "degraded"),
        (small_profile(energy=None), "TS-ENERGY-UNKNOWN", "valid"),
        (small_profile(bank_cycles={"sram2": 7}), "TS-BANK-CYCLES", "valid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_code_and_what_it_makes_of_a_run(profile: Profile, code: str, validity: str) -> None:
    summary = json.loads(bundle(profile, THEN)["summary.json"])
    assert [issue["code"] for issue in summary["issues"]] == [code]
    assert summary["validity"] == summary["issues"][0]["validity"] == validity


def test_codes_that_are_tested_are_all() -> None:
    marks = test_every_code_and_what_it_makes_of_a_run.pytestmark  # type: ignore[attr-defined]
    assert {row[1] for row in marks[0].args[1]} == CODES.keys()
    assert {validity for validity, _ in CODES.values()} <= set(VALIDITIES)


def test_run_is_as_valid_as_its_worst_issue() -> None:
    assert validity_of(issues_of(small_profile())) == "valid"
    worst = replace(overflowing("ram"), output_check=OutputCheck("mismatch", "host", 3))
    found = issues_of(worst)
    assert [issue.code for issue in found] == ["TS-OUTPUT-MISMATCH", "TS-RAM-OVERFLOW"]
    assert validity_of(found) == "invalid"
    assert found[1].message.endswith("more RAM: sram by 60 B")


def test_document_has_every_code_and_every_format() -> None:
    page = (ROOT / "docs" / "reports.md").read_text()
    for code, (validity, meaning) in CODES.items():
        assert f"| `{code}` | {validity} | {meaning} |" in page
    assert set(re.findall(r"`(TS-[A-Z-]+)`", page)) == CODES.keys()
    for format in FORMATS:
        assert f"| `{format}` |" in page
    for name in bundle(small_profile(), THEN):
        assert f"`{name}`" in page or f"`{Path(name).parent}/" in page, name


def test_run_writes_the_same_bundle_twice(tmp_path: Path) -> None:
    for name in ("one", "two"):
        arguments = ("run", DEMO_MODEL, "-b", "generic_m4", "-q", "-o", tmp_path / name)
        result = tinysim(*arguments, SOURCE_DATE_EPOCH="1")
        assert (result.returncode, result.stdout, result.stderr) == (0, "FITS\n", "")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one == two
    assert json.loads(one["summary.json"])["validity"] == "valid"
    verified = tinysim("verify", tmp_path / "one", tmp_path / "two")
    assert verified.returncode == 0 and verified.stdout.startswith("whole: ")
    (tmp_path / "two" / "trace.json").write_text("{}")
    code, text = failure("verify", tmp_path / "one", tmp_path / "two", tmp_path)
    assert code == 3 and f"{tmp_path / 'two'}: trace.json: has 2 bytes" in text
    assert f"{tmp_path}: manifest.json: missing" in text


def test_several_boards_are_a_bundle_each(tmp_path: Path) -> None:
    boards = ("-b", "generic_m4", "-b", "rpi_pico")
    assert tinysim("run", DEMO_MODEL, *boards, "-o", tmp_path).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["generic_m4", "rpi_pico"]
    for folder in tmp_path.iterdir():
        assert defects(folder) == []
        assert json.loads((folder / "summary.json").read_text())["board"] == folder.name


def test_place_of_a_bundle_is_checked_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in ("file", "file/below"):
        code, text = failure("run", "missing.tflite", "-b", "generic_m4", "-o", tmp_path / place)
        assert code == 4 and "no folder that can be written" in text


def test_format_takes_the_place_of_the_report() -> None:
    result = tinysim("run", DEMO_MODEL, "-b", "generic_m4", "--format", "markdown")
    assert result.returncode == 0 and result.stdout.startswith("### <code>mnist_cnn_int8.tflite")
    boards = ("-b", "generic_m4", "-b", "generic_m7")
    several = tinysim("run", DEMO_MODEL, *boards, "--format", "smaller_is_better")
    assert len({entry["name"] for entry in json.loads(several.stdout)}) > 20


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--format", "pdf"), "--format is collapsed, "),
        (("--format", "csv", "--json", "-"), "both take stdout"),
        (("--format", "csv", "-b", "generic_m7"), "holds one board"),
    ],
)
def test_formats_that_cannot_be_printed(arguments: tuple[str, ...], complaint: str) -> None:
    code, text = failure("run", DEMO_MODEL, "-b", "generic_m4", *arguments)
    assert code == 2 and complaint in re.sub(r"\s+│?\s*", " ", text)


@pytest.mark.parametrize("option", [("-o", "out"), ("--format", "csv"), ("--save-output", "x.npy")])
def test_firmware_has_reports_of_its_own(option: tuple[str, str], tmp_path: Path) -> None:
    code, text = failure("run", tmp_path / "app.elf", "-b", "generic_m4", *option)
    assert code == 2 and "--flame" in text
