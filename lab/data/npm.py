"""A package's archive from the npm registry that the user has configured; npm is not needed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from tinysim.errors import RecipeError

DEFAULT_REGISTRY = "https://registry.npmjs.org"
_TIMEOUT_S = 60.0
_CHUNK_BYTES = 1 << 16
_MOST_BYTES = 1 << 26


def registry() -> str:
    """Return the registry's address: of npm's environment variable, or its settings' file."""
    for variable in ("NPM_CONFIG_REGISTRY", "npm_config_registry"):
        if found := os.environ.get(variable):
            return found.rstrip("/")
    settings = Path(os.environ.get("NPM_CONFIG_USERCONFIG") or Path("~/.npmrc").expanduser())
    try:
        lines = settings.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return DEFAULT_REGISTRY
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "registry" and value.strip():
            return value.strip().strip("\"'").rstrip("/")
    return DEFAULT_REGISTRY


def archive_of(
    package: str,
    version: str,
    sha512: str,
    on_progress: Callable[[float, str], None] = lambda share, what: None,
) -> bytes:
    """Return a package's .tgz, if it is the one that is known.

    Parameters
    ----------
    sha512
        As registries say it: ``sha512-`` and the digest in base 64.

    Raises
    ------
    RecipeError
        If the registry cannot be reached, does not have it, or has something else.
    """
    where = f"{registry()}/{package}"
    on_progress(0.0, f"asking for {package}")
    try:
        description = json.loads(_content(where))
        address = str(description["versions"][version]["dist"]["tarball"])
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError(
            f"does not say where {package} {version} is", where=where, fix=_FIX
        ) from error
    archive = _content(address, lambda share: on_progress(share, f"fetching {package} {version}"))
    digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if f"sha512-{digest}" != sha512:
        raise RecipeError(
            f"is not {package} {version}: its SHA-512 is another one", where=address, fix=_FIX
        )
    return archive


_FIX = "set NPM_CONFIG_REGISTRY to a registry that can be reached"


def _content(address: str, on_share: Callable[[float], None] = lambda share: None) -> bytes:
    if not address.startswith(("https://", "http://")):
        raise RecipeError("no address of the web", where=address, fix=_FIX)
    content = b""
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:
            length = int(answer.headers.get("Content-Length") or 0)
            while chunk := answer.read(_CHUNK_BYTES):
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise ValueError(f"more than {_MOST_BYTES} bytes")
                on_share(min(1.0, len(content) / length) if length else 0.0)
    except (OSError, HTTPException, ValueError) as error:
        raise RecipeError(f"cannot be fetched ({error})", where=address, fix=_FIX) from error
    return content
