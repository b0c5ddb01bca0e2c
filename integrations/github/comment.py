"""Post the report as a comment on the pull request, or update the one that is there.

The comment is known by a hidden marker and its author. What goes wrong here is a warning: the
verdict is that of the check.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARKER = "<!-- tinysim-check -->"
#: GitHub takes 65,536 characters.
MAX_CHARACTERS = 65_000
CUT = "\n\n(The report is longer: see the step's summary.)\n"


class ApiError(Exception):
    """GitHub's answer is not what was asked for."""


def main() -> None:
    """Comment if there is a pull request, a token, and nobody has forbidden it."""
    if os.environ.get("TINYSIM_COMMENT", "true") != "true":
        return
    number = pull_request()
    if number is None or not os.environ.get("GH_TOKEN"):
        print("no pull request or no token: no comment")
        return
    report = Path(os.environ.get("TINYSIM_OUTPUT") or "tinysim-report") / "check.md"
    issues = f"repos/{os.environ['GITHUB_REPOSITORY']}/issues"
    try:
        text = body(report.read_text(encoding="utf-8"))
        mine = next(own_comments(f"{issues}/{number}/comments"), None)
        if mine is None:
            send("POST", f"{issues}/{number}/comments", text)
        else:
            send("PATCH", f"{issues}/comments/{mine}", text)
    except (ApiError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"::warning title=tinysim::no comment: {escaped(str(error))}")


def pull_request() -> int | None:
    """Return the number of the pull request that started the job, if one did."""
    try:
        event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
        return int(event["pull_request"]["number"])
    except (KeyError, TypeError, OSError, ValueError):
        return None


def body(report: str) -> str:
    """Return the report with its marker, no longer than a comment may be."""
    text = report if report.startswith(MARKER) else f"{MARKER}\n{report}"
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - len(CUT)] + CUT


def own_comments(address: str) -> Iterator[int]:
    """Find the comments that an earlier run has posted."""
    author = os.environ.get("TINYSIM_COMMENT_AUTHOR") or "github-actions[bot]"
    for page in values(gh("--paginate", f"{address}?per_page=100")):
        for comment in page:
            login = (comment["user"] or {}).get("login")  # nobody, if the user has left
            if login == author and str(comment["body"]).startswith(MARKER):
                yield int(comment["id"])


def values(text: str) -> Iterator[Any]:
    """Read JSON values that follow one another, as pages do."""
    decoder, text = json.JSONDecoder(), text.strip()
    try:
        while text:
            value, end = decoder.raw_decode(text)
            yield value
            text = text[end:].lstrip()
    except ValueError as error:
        raise ApiError(f"no JSON: {error}") from error


def send(method: str, address: str, text: str) -> None:
    """Post or change a comment; its text goes by a file, never through a command line."""
    with tempfile.TemporaryDirectory() as folder:
        payload = Path(folder) / "comment.json"
        payload.write_text(json.dumps({"body": text}), encoding="utf-8")
        gh("--method", method, address, "--input", str(payload))


def gh(*arguments: str) -> str:
    """Ask GitHub's command line."""
    try:
        result = subprocess.run(
            ["gh", "api", *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ApiError("there is no `gh` on this runner") from error
    if result.returncode:
        raise ApiError(result.stderr.strip() or f"gh ended with {result.returncode}")
    return result.stdout


def escaped(text: str) -> str:
    """Keep a message from ending its line, and so from being a command of its own."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


if __name__ == "__main__":
    main()
