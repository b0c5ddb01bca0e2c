"""Limits -> findings: passes, may fail, fails, or unknown, and why.

What is measured has a band: cycles and latency that of the timing's error, energy that of the
board's power, accuracy the Wilson interval (95 %) of so many samples; bytes are exact. A limit

- **passes** if the measured value and the whole band keep it,
- **fails** if the whole band breaks it,
- **may fail** otherwise: the limit lies in the band, or the measured value alone breaks it,
- is **unknown** if there is nothing to judge it by, which never passes.

A looser limit never gets a worse verdict. Growth over a baseline is of simulated values, both
exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tinysim.budget import (
    FAILS,
    MAY_FAIL,
    METRICS,
    PASSES,
    UNKNOWN,
    VERDICTS,
    Finding,
    Limit,
    Source,
)
from tinysim.budget.advice import (
    accuracy_fixes,
    flash_fixes,
    ram_fixes,
    region_fixes,
    stack_fixes,
    time_fixes,
)
from tinysim.budget.measure import Measured, earlier, free_share, measure, measure_layer, wilson
from tinysim.budget.units import write, write_band
from tinysim.simulator.profile import LayerProfile, Profile

#: What a ``regression`` without a metric of its own is about.
REGRESSING = ("cycles", "ram", "flash", "arena", "stack", "energy")


def judge(
    profile: Profile,
    limits: Sequence[Limit],
    accuracy: float | None = None,
    baseline: Mapping[str, Any] | None = None,
    *,
    samples: int | None = None,
) -> tuple[Finding, ...]:
    """Judge every limit, and whether the model fits at all.

    Parameters
    ----------
    profile
        What the model costs.
    limits
        ``fits`` is added in front if it is not among them.
    accuracy
        Share of the ``samples`` that the model got right; without ``samples`` it has no band.
    baseline
        The data of an earlier profile (``report.json.as_data``).
    samples
        How many samples ``accuracy`` is of.
    """
    if all(limit.metric != "fits" for limit in limits):
        source = limits[0].source if limits else Source(Path(profile.model_name), 1)
        limits = (Limit("fits", 0.0, "always", source), *limits)
    bench = _Bench(profile, tuple(limits), accuracy, baseline, samples)
    return tuple(bench.judge(limit) for limit in limits)


def verdict(measured: Measured, limit: float) -> str:
    """Judge what must not exceed a limit."""
    if measured.low > limit:
        return FAILS
    return PASSES if max(measured.value, measured.high) <= limit else MAY_FAIL


@dataclass(frozen=True)
class _Bench:
    """Everything that limits are judged by."""

    profile: Profile
    limits: tuple[Limit, ...]
    accuracy: float | None
    baseline: Mapping[str, Any] | None
    samples: int | None

    def judge(self, limit: Limit) -> Finding:
        """Judge one limit."""
        check = self.profile.output_check
        if check.status == "mismatch":
            wrong = f"the device's output differs from the host's by {check.max_ulp:,}"
            return _unknown(limit, f"{wrong}: no number of this run counts")
        if not math.isfinite(limit.value):
            return _unknown(limit, f"{limit.value} is no limit")
        if limit.layers is not None:
            return self.layers(limit, limit.layers)
        if limit.metric == "regression":
            return self.regression(limit)
        if limit.metric == "headroom":
            return self.headroom(limit)
        if limit.metric == "accuracy":
            return self.right(limit)
        return self.cost(limit)

    def cost(self, limit: Limit) -> Finding:
        """Judge what the whole model costs."""
        measured = measure(self.profile, limit.metric)
        if measured is None:
            return _unknown(limit, f"{self.profile.board} has no measured power")
        said = _said(measured, limit)
        if limit.metric == "fits":
            said = self.profile.verdict
        return _finding(limit, measured, said, self.fixes(limit.metric, measured, limit.value))

    def layers(self, limit: Limit, pattern: str) -> Finding:
        """Judge every layer that a pattern means; the worst one speaks for all."""
        matching = [layer for layer in self.profile.layers if _is_meant(layer, pattern)]
        if not matching:
            return _unknown(limit, "no layer has such a name, operator or index")
        found = []
        for layer in matching:
            measured = measure_layer(self.profile, layer, limit.metric)
            if measured is None:
                return _unknown(limit, f"{self.profile.board} has no measured power")
            found.append((layer, measured))
        layer, worst = max(found, key=lambda item: (_rank(item[1], limit.value), item[1].value))
        broken = [(one, m) for one, m in found if verdict(m, limit.value) != PASSES]
        said = f"layer {layer.index} {layer.op}: {_said(worst, limit)}"
        said += f"; {len(broken)} of {len(found)} such layers are over" if len(broken) > 1 else ""
        fixes = self.fixes(limit.metric, worst, limit.value, [layer])
        return _finding(limit, worst, said, fixes)

    def headroom(self, limit: Limit) -> Finding:
        """Judge how much of the fullest region is free."""
        region = min(self.profile.regions, key=free_share, default=None)
        if region is None:
            return _unknown(limit, "the profile has no memory regions")
        free = free_share(region)
        said = (
            f"{region.name} is the fullest region: {write(free, 'share')} of "
            f"{write(region.usable_bytes, 'B')} free, {write(limit.value, 'share')} wanted"
        )
        missing = (limit.value - free) * region.usable_bytes
        fixes = region_fixes(self.profile, region, missing)
        return _at_least(limit, Measured.exact(free), said, fixes)

    def right(self, limit: Limit) -> Finding:
        """Judge how much the model got right."""
        if self.accuracy is None or not 0 <= self.accuracy <= 1 or self.samples == 0:
            return _unknown(limit, "nothing to measure it on; give the model `data`")
        share, samples = self.accuracy, self.samples
        measured = Measured.exact(share) if samples is None else wilson(share, samples)
        of = "" if samples is None else f" of {samples:,} samples"
        said = f"{_with_band(measured, 'share')}{of}, at least {write(limit.value, 'share')} wanted"
        fixes = () if samples is None else accuracy_fixes(share, samples, limit.value)
        return _at_least(limit, measured, said, fixes)

    def regression(self, limit: Limit) -> Finding:
        """Judge how much more it costs than it did."""
        if self.baseline is None:
            return _unknown(limit, "no baseline to compare with; save one")
        board = self.baseline.get("board")
        if not isinstance(board, Mapping) or board.get("name") != self.profile.board:
            return _unknown(limit, f"the baseline is not of {self.profile.board}")
        own = {one.of for one in self.limits if one.metric == "regression"}
        metrics = [limit.of] if limit.of else [one for one in REGRESSING if one not in own]
        grown: list[_Growth] = []
        for metric in metrics:
            now, then = measure(self.profile, metric), earlier(self.baseline, metric)
            if now is None and then is None and limit.of is None:
                continue
            if now is None or then is None:
                whose = "this run" if now is None else "the baseline"
                return _unknown(limit, f"{whose} says nothing of {metric}")
            grown.append(_Growth(metric, now.value, then))
        if not grown:
            return _unknown(limit, "every metric has a regression of its own; leave this one out")
        worst = max(grown, key=lambda one: one.by(limit))
        more = sum(one.by(limit) > limit.value for one in grown) - 1
        said = worst.said(limit) + (f"; {more} more metrics grew too much" if more > 0 else "")
        by = worst.by(limit)
        fixes = self.fixes(worst.metric, Measured.exact(worst.now), worst.allowed(limit))
        if math.isinf(by):
            return Finding(limit, FAILS, said, fixes=fixes)
        return _finding(limit, Measured.exact(by), said, fixes)

    def fixes(
        self,
        metric: str,
        measured: Measured,
        limit: float,
        layers: Sequence[LayerProfile] | None = None,
    ) -> tuple[str, ...]:
        """Return what would bring a metric, at its worst, below a limit."""
        profile = self.profile
        if metric == "fits":
            region = max(profile.regions, key=lambda one: one.overflow_bytes, default=None)
            return region_fixes(profile, region, region.overflow_bytes) if region else ()
        bound = measured.value if measured.value > limit else measured.high
        excess = max(0.0, bound - limit)
        if METRICS[metric] != "B":
            cycles = profile.cycles if layers is None else sum(o.counters.cycles for o in layers)
            return time_fixes(profile, cycles * (excess / bound if bound else 0), layers)
        fixes = {"stack": stack_fixes, **dict.fromkeys(("flash", "weights", "code"), flash_fixes)}
        return fixes.get(metric, ram_fixes)(profile, excess)


@dataclass(frozen=True)
class _Growth:
    """What a metric is, and what it was."""

    metric: str
    now: float
    then: float

    def by(self, limit: Limit) -> float:
        """Return the growth: absolute, or as a share of what was."""
        growth = self.now - self.then
        if limit.is_absolute or not growth:
            return growth
        return growth / self.then if self.then else math.inf

    def allowed(self, limit: Limit) -> float:
        """Return the most that the metric may be now."""
        return self.then + limit.value * (1 if limit.is_absolute else self.then)

    def said(self, limit: Limit) -> str:
        """Say by how much it grew."""
        unit = METRICS[self.metric]
        by = write(self.by(limit), limit.unit)
        now, then = write(self.now, unit), write(self.then, unit)
        sign = "" if by.startswith("-") else "+"
        allowed = write(limit.value, limit.unit)
        return f"{self.metric} {sign}{by} (from {then} to {now}), {allowed} allowed"


def _is_meant(layer: LayerProfile, pattern: str) -> bool:
    names = (layer.name, layer.op, str(layer.index))
    return pattern in names or any(fnmatchcase(name, pattern) for name in names)


def _rank(measured: Measured, limit: float) -> int:
    return VERDICTS.index(verdict(measured, limit))


def _finding(limit: Limit, measured: Measured, said: str, fixes: tuple[str, ...]) -> Finding:
    """Return a finding of what must not exceed its limit."""
    given = verdict(measured, limit.value)
    band = (measured.value, measured.low, measured.high)
    return Finding(limit, given, said, *band, () if given == PASSES else fixes)


def _at_least(limit: Limit, measured: Measured, said: str, fixes: tuple[str, ...]) -> Finding:
    """Return a finding of what must be reached: the mirror image of what must not be exceeded."""
    given = verdict(Measured(-measured.value, -measured.high, -measured.low), -limit.value)
    band = (measured.value, measured.low, measured.high)
    return Finding(limit, given, said, *band, () if given == PASSES else fixes)


def _unknown(limit: Limit, why: str) -> Finding:
    return Finding(limit, UNKNOWN, why)


def _said(measured: Measured, limit: Limit) -> str:
    """Say what is measured, and how far it is from the limit."""
    unit = limit.unit
    wanted, text = write(limit.value, unit), _with_band(measured, unit)
    if measured.value > limit.value:
        return f"{text}, over {wanted} by {write(measured.value - limit.value, unit)}"
    if measured.high > limit.value:
        return f"{text}, at worst over {wanted} by {write(measured.high - limit.value, unit)}"
    return f"{text}, within {wanted}"


def _with_band(measured: Measured, unit: str) -> str:
    return write_band(measured.value, measured.low, measured.high, unit)
