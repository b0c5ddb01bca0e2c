#!/usr/bin/env bash
# Judges the budgets. The exit code is kept for the last step, so that reports are posted first.
set -euo pipefail

report="${TINYSIM_OUTPUT:-tinysim-report}"
mkdir -p -- "$report"
report="$(cd -- "$report" && pwd)"
rm -f "$report"/check.{md,xml,sarif,json,log} # an earlier run's would be taken for this one's

arguments=(--markdown "$report/check.md" --junit "$report/check.xml")
arguments+=(--sarif "$report/check.sarif" --json "$report/check.json")
[ -z "${TINYSIM_FILE:-}" ] || arguments+=(-- "$TINYSIM_FILE")

# What is printed holds names out of models: the runner must not take a line of it for a command.
resume="$(python3 -c 'import secrets; print(secrets.token_hex(16))')"
echo "::stop-commands::$resume"
code=0
tinysim check "${arguments[@]}" 2>"$report/check.log" || code=$?
cat "$report/check.log" >&2
echo "::$resume::"

if [ ! -s "$report/check.md" ]; then
  {
    printf '## tinysim check could not judge anything (exit code %s)\n\n' "$code"
    sed 's/^/    /' "$report/check.log"
  } >"$report/check.md"
fi
cat "$report/check.md" >>"$GITHUB_STEP_SUMMARY"
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
