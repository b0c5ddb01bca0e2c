"""The memory, core and clock that a CMSIS pack's description (PDSC) gives for a device."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from tinysim.boards.importing import Fact, Findings, FoundRegion, read_bounded, refused
from tinysim.boards.limits import shown

_BYTES_MAX = 64 * 2**20
#: Core and FPU, as packs name them -> core here; packs write the FPU in several ways.
_CORES = {
    ("Cortex-M0", "none"): "cortex_m0",
    ("Cortex-M0+", "none"): "cortex_m0plus",
    ("Cortex-M3", "none"): "cortex_m3",
    ("Cortex-M4", "none"): "cortex_m4",
    ("Cortex-M4", "sp"): "cortex_m4f",
    ("Cortex-M33", "sp"): "cortex_m33",
    ("Cortex-M7", "sp"): "cortex_m7_sp",
    ("Cortex-M7", "dp"): "cortex_m7_dp",
}
_FPUS = {"": "none", "0": "none", "NO_FPU": "none", "1": "sp", "FPU": "sp", "SP_FPU": "sp"}
_FPUS |= {"2": "dp", "DP_FPU": "dp"}


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses a document type: it is where entities that grow without end would be declared."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ElementTree.ParseError("it declares a document type, as no pack does")


def read_pdsc(path: Path, device: str) -> Findings:
    """Read what a pack says of a device or variant.

    Raises
    ------
    BoardError
        If the file is no pack's description, or does not have the device.
    """
    content = read_bounded(path, _BYTES_MAX, "PDSC file")
    try:
        root = ElementTree.fromstring(content, ElementTree.XMLParser(target=_NoDoctype()))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise refused([f"not XML: {error}"], path.name, "give a pack's .pdsc file") from error
    lines = {_name(line[-1]): line for line in _lines(root)}
    by_lower = {name.lower(): line for name, line in lines.items()}
    line = by_lower.get(device.lower())
    if line is None:
        near = difflib.get_close_matches(device, lines, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {len(lines)} devices"
        raise refused([f"has no device {shown(device)}"], path.name, hint)
    return _findings(line, f"from {path.name}, device {_name(line[-1])}")


def _lines(root: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, ...]]:
    """Yield every device and variant with the elements around it, outermost first."""
    for family in root.iterfind("./devices/family"):
        for parents in ((family,), *((family, one) for one in family.iterfind("subFamily"))):
            for device in parents[-1].iterfind("device"):
                yield (*parents, device)
                for variant in device.iterfind("variant"):
                    yield (*parents, device, variant)


def _name(element: ElementTree.Element) -> str:
    return element.get("Dvariant") or element.get("Dname") or ""


def _findings(line: tuple[ElementTree.Element, ...], source: str) -> Findings:
    problems: list[str] = []
    regions: dict[str, FoundRegion] = {}
    processors: dict[str, dict[str, str]] = {}
    for element in line:
        for memory in element.iterfind("memory"):
            name = memory.get("name") or memory.get("id") or "memory"
            try:
                base, size = (int(memory.get(key, ""), 0) for key in ("start", "size"))
            except ValueError:
                problems.append(f"memory {shown(name)} has no start and size that are numbers")
                continue
            access = memory.get("access") or ("rwx" if "RAM" in name.upper() else "rx")
            kind = "ram" if "w" in access and "ROM" not in name.upper() else "flash"
            regions[name] = FoundRegion(name, kind, base, size, f"{source}, memory {name}")
        for processor in element.iterfind("processor"):
            key = processor.get("Pname", "")
            processors[key] = processors.get(key, {}) | dict(processor.attrib)
    if not regions and not problems:
        problems.append(f"{_name(line[-1])} has no memory")
    if problems:
        raise refused(problems, source.removeprefix("from "), "mend the pack's description")
    core = clock = None
    if len(processors) == 1:
        (only,) = processors.values()
        core = _core(only, source)
        if re.fullmatch("[0-9]{1,11}", only.get("Dclock", "")):
            clock = Fact(int(only["Dclock"]), f"{source}, Dclock")
    return Findings(tuple(regions.values()), _name(line[-1]), core, clock)


def _core(processor: dict[str, str], source: str) -> Fact | None:
    """Return the core of ours that a processor is, if there is one."""
    fpu = _FPUS.get(processor.get("Dfpu", ""), "")
    core = _CORES.get((processor.get("Dcore", ""), fpu))
    return None if core is None else Fact(core, f"{source}, Dcore {processor['Dcore']}")
