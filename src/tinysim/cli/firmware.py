"""What ``tinysim run`` shows and writes of firmware."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tinysim.cli.console import console
from tinysim.cli.files import write_text

if TYPE_CHECKING:
    from tinysim.simulator.profile import FirmwareProfile


def report_firmware(
    profiles: Sequence[FirmwareProfile],
    json: str | None,
    flame: str | None,
    uart_out: str | None,
    quiet: bool,
) -> None:
    """Write the files that were asked for, and print the report unless one of them is stdout."""
    from tinysim.report import collapsed
    from tinysim.report._firmware import firmware_report, firmware_totals
    from tinysim.report.json import firmware_as_data

    if json is not None:
        data: Any = [firmware_as_data(profile) for profile in profiles]
        write_text(json_module.dumps(data if len(data) > 1 else data[0], indent=2) + "\n", json)
    if flame is not None:
        write_text(collapsed.render(profiles[-1]), flame)
    if uart_out is not None:
        write_text(profiles[-1].console.decode("latin-1"), uart_out)
    if "-" not in (json, flame, uart_out):
        console().print(firmware_totals(profiles) if quiet else firmware_report(profiles))
