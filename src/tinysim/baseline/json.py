"""A comparison as data."""

from __future__ import annotations

import json
from typing import Any

from tinysim.baseline import Comparison, Delta, Record

SCHEMA_VERSION = 1


def render(comparison: Comparison) -> str:
    """Render as JSON with a newline at the end."""
    return json.dumps(as_data(comparison), indent=2, allow_nan=False) + "\n"


def as_data(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as plain dictionaries, lists and numbers."""
    return {
        "schema_version": SCHEMA_VERSION,
        "before": _side(comparison.before),
        "after": _side(comparison.after),
        "is_changed": comparison.is_changed,
        "conditions": [
            {"name": one.name, "before": one.before, "after": one.after}
            for one in comparison.conditions
        ],
        "totals": {delta.name: _delta(delta) for delta in comparison.totals},
        "causes": {delta.name: _delta(delta) for delta in comparison.causes},
        "topology": comparison.topology,
        "layers": [
            {
                "index": layer.after.index,
                "name": layer.after.name,
                "op": layer.after.op,
                "kernel_before": layer.before.kernel,
                "kernel_after": layer.after.kernel,
                "cycles": _delta(layer.cycles),
            }
            for layer in comparison.layers
        ],
        "between_layers": _delta(comparison.between_layers),
    }


def _side(record: Record) -> dict[str, Any]:
    return {
        "where": record.where,
        "model": {"name": record.model_name, "sha256": record.model_sha256},
        "board": record.board,
        "conditions": dict(record.conditions),
    }


def _delta(delta: Delta) -> dict[str, Any]:
    return {
        "unit": delta.unit,
        "before": delta.before,
        "after": delta.after,
        "change": delta.change,
        "share": delta.share,
    }
