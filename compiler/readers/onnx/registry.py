"""Which function reads which ONNX operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tinysim.compiler.graph import Tensor

if TYPE_CHECKING:
    from tinysim.compiler.readers.onnx.layer import Layer, Value

Reader = Callable[["Layer"], "Tensor | Value | tuple[Tensor | Value, ...]"]

#: The domain of ONNX Runtime's own operators.
MICROSOFT = "com.microsoft"

READERS: dict[tuple[str, str], Reader] = {}


def reads(*kinds: str, domain: str = "") -> Callable[[Reader], Reader]:
    """File a function under the operators that it reads."""

    def file(function: Reader) -> Reader:
        READERS.update({(domain, kind): function for kind in kinds})
        return function

    return file
