"""JSON: everything as data, as ``profile.schema.json`` says; the same run gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tinysim.simulator.profile import (
    Counters,
    FirmwareProfile,
    FunctionProfile,
    HotLoop,
    LayerProfile,
    Profile,
    RegionUse,
)
from tinysim.simulator.tuning import Tuning

SCHEMA_VERSION = 2


def render(profile: Profile) -> str:
    """Render as JSON with a newline at the end."""
    return json.dumps(as_data(profile), indent=2) + "\n"


def render_all(profiles: Sequence[Profile]) -> str:
    """Render several profiles as a list."""
    return json.dumps([as_data(profile) for profile in profiles], indent=2) + "\n"


def as_data(profile: Profile) -> dict[str, Any]:
    """Return the profile as plain dictionaries, lists and numbers."""
    used = profile.used_bytes
    return {
        "schema_version": SCHEMA_VERSION,
        "tinysim_version": profile.tinysim_version,
        "model": {"name": profile.model_name, "sha256": profile.model_sha256},
        "board": {
            "name": profile.board,
            "title": profile.board_title,
            "sha256": profile.board_sha256,
        },
        "core": {"name": profile.core, "sha256": profile.core_sha256},
        "clock_hz": profile.clock_hz,
        "toolchain": {
            "compiler": profile.toolchain.compiler,
            "version": profile.toolchain.version,
            "flags": list(profile.toolchain.flags),
        },
        "timing": {
            "grade": profile.timing.grade,
            "error_low": profile.timing.error_low,
            "error_high": profile.timing.error_high,
            "fidelity": profile.timing.fidelity,
            "source": profile.timing.source,
        },
        "totals": {
            **_counters(profile.total),
            "macs": profile.macs,
            "latency_s": profile.latency_s,
            "latency_band_s": list(profile.latency_band_s),
            "energy_j": profile.energy.typical_j if profile.energy else None,
        },
        "energy": None
        if profile.energy is None
        else {
            "low_j": profile.energy.low_j,
            "typical_j": profile.energy.typical_j,
            "high_j": profile.energy.high_j,
            "mode": profile.energy.mode,
            "source": profile.energy.source,
        },
        "ram": {
            "arena_bytes": used("ram", "arena"),
            "arena_plan_bytes": profile.arena_bytes,
            "arena_lower_bound_bytes": profile.arena_lower_bound_bytes,
            "arena_written_bytes": profile.arena_written_bytes,
            "stack_bytes": profile.stack_bytes,
            "stack_written_bytes": profile.stack_written_bytes,
            "static_bytes": used("ram", "static"),
            "io_bytes": profile.io_bytes,
            "total_bytes": used("ram"),
            "regions": [_region(region) for region in profile.regions if region.kind == "ram"],
        },
        "flash": {
            "weights_bytes": used("flash", "weights"),
            "code_bytes": used("flash", "code"),
            "runtime_bytes": used("flash", "runtime"),
            "total_bytes": used("flash"),
            "regions": [_region(region) for region in profile.regions if region.kind == "flash"],
        },
        "fits": profile.fits,
        "overflow": [
            {"region": r.name, "bytes": r.overflow_bytes, "largest": r.largest}
            for r in profile.overflows
        ],
        "output_check": {
            "status": profile.output_check.status,
            "oracle": profile.output_check.oracle,
            "max_ulp": profile.output_check.max_ulp,
        },
        "layers": [_layer(profile, layer) for layer in profile.layers],
        "runtime": _counters(profile.runtime),
        "startup": _counters(profile.startup),
        "removed": list(profile.removed),
        "bank_cycles": dict(profile.bank_cycles),
        "tuning": _tuning(profile.tuning),
        "tensors": [asdict(tensor) for tensor in profile.tensors],
        "functions": [_function(one) for one in profile.functions],
        "paths": _paths(profile),
        "loops": [_loop(loop) for loop in profile.loops],
        "published": [asdict(one) for one in profile.published],
    }


def firmware_as_data(profile: FirmwareProfile) -> dict[str, Any]:
    """Return a firmware's profile as plain dictionaries, lists and numbers."""
    return {
        "schema_version": SCHEMA_VERSION,
        "tinysim_version": profile.tinysim_version,
        "image": {"name": profile.image_name, "sha256": profile.image_sha256},
        "board": profile.board,
        "core": profile.core,
        "clock_hz": profile.clock_hz,
        "clock_source": profile.clock_source,
        "timing": asdict(profile.timing),
        "window": profile.window,
        "totals": {
            **_counters(profile.total),
            "cycles": profile.cycles,
            "exception_cycles": profile.exception_cycles,
            "sleep_cycles": profile.sleep_cycles,
            "latency_s": profile.latency_s,
        },
        "stack_bytes": profile.stack_bytes,
        "functions": [_function(one) for one in profile.functions],
        "paths": _paths(profile),
        "hottest": [asdict(spot) for spot in profile.hottest],
        "console": profile.console.decode("latin-1"),
        "notes": list(profile.notes),
    }


def _layer(profile: Profile, layer: LayerProfile) -> dict[str, Any]:
    return {
        "index": layer.index,
        "name": layer.name,
        "tensor": layer.tensor,
        "op": layer.op,
        "kernel": layer.kernel,
        "output_shape": list(layer.output_shape),
        "macs": layer.macs,
        "energy_j": profile.energy_j(layer.counters.cycles),
        **_counters(layer.counters),
    }


def _function(function: FunctionProfile) -> dict[str, Any]:
    return {
        "name": function.name,
        "address": function.address,
        "calls": function.calls,
        "inclusive_cycles": function.inclusive_cycles,
        **_counters(function.own),
    }


def _paths(profile: Profile | FirmwareProfile) -> list[dict[str, Any]]:
    return [{"path": list(path), "cycles": cycles} for path, cycles in profile.paths]


def _tuning(tuning: Tuning | None) -> dict[str, Any] | None:
    if tuning is None:
        return None
    return {**asdict(tuning), "layers": [asdict(layer) for layer in tuning.layers]}


def _loop(loop: HotLoop) -> dict[str, Any]:
    body = [{**asdict(one), "counters": _counters(one.counters)} for one in loop.body]
    return {**asdict(loop), "counters": _counters(loop.counters), "body": body}


def _counters(counters: Counters) -> dict[str, Any]:
    return {
        "cycles": counters.cycles,
        "instructions": counters.instructions,
        "issue_cycles": counters.issue_cycles,
        "stalls": dict(counters.stalls),
    }


def _region(region: RegionUse) -> dict[str, Any]:
    return {
        "name": region.name,
        "base": region.base,
        "size_bytes": region.size_bytes,
        "reserved_bytes": region.reserved_bytes,
        "wait_states": region.wait_states,
        "used_bytes": region.used_bytes,
        "overflow_bytes": region.overflow_bytes,
        "used": dict(region.used),
    }
