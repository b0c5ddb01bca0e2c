"""TFLite's own interpreter, as an opinion besides ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf


def interpreted(content: bytes) -> Any:
    """TFLite's own interpreter of the file."""
    with pytest.warns(UserWarning, match="deprecated"):
        interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    return interpreter


def probabilities(content: bytes, samples: Any) -> Any:
    """What TFLite's interpreter makes of samples, as real numbers."""
    interpreter = interpreted(content)
    (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for sample in samples:
        scale, zero_point = into["quantization"]
        if scale:
            limits = np.iinfo(into["dtype"])
            sample = np.clip(np.round(sample / scale) + zero_point, limits.min, limits.max)
        interpreter.set_tensor(into["index"], sample[None].astype(into["dtype"]))
        interpreter.invoke()
        scale, zero_point = out["quantization"]
        value = interpreter.get_tensor(out["index"])[0].astype(np.float64)
        found.append((value - zero_point) * scale if scale else value)
    return np.array(found)
