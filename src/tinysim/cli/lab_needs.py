"""What commands of the lab need before they begin."""

from __future__ import annotations


def require_tensorflow() -> None:
    """Refuse what needs TensorFlow where it is not installed; keep it quiet where it is.

    Raises
    ------
    LibraryError
        With the command that installs it.
    """
    import os
    from importlib.util import find_spec

    from tinysim.errors import LibraryError

    if missing := [name for name in ("tensorflow", "keras") if find_spec(name) is None]:
        raise LibraryError(
            f"needs {' and '.join(missing)}",
            where="tinysim lab",
            fix='pip install "tinysim[lab]"',
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
