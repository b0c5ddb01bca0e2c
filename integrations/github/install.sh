#!/usr/bin/env bash
# Gets the cross compiler and tinysim, unless the job has them already.
set -euo pipefail

if ! command -v arm-none-eabi-gcc >/dev/null; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends gcc-arm-none-eabi libnewlib-arm-none-eabi
fi

if [ -z "${TINYSIM_VERSION:-}" ] && command -v tinysim >/dev/null; then
  exit 0
fi
extras="${TINYSIM_EXTRAS:+[$TINYSIM_EXTRAS]}"
if [ -n "${TINYSIM_VERSION:-}" ]; then
  requirement="tinysim$extras==$TINYSIM_VERSION"
else
  requirement="$(cd "$GITHUB_ACTION_PATH/../.." && pwd)$extras"
fi
# An environment of its own, of which later steps see only the command, not the Python.
python3 -m venv "$RUNNER_TEMP/tinysim"
"$RUNNER_TEMP/tinysim/bin/python" -m pip install --quiet --disable-pip-version-check -- "$requirement"
mkdir -p "$RUNNER_TEMP/tinysim-bin"
ln -sf "$RUNNER_TEMP/tinysim/bin/tinysim" "$RUNNER_TEMP/tinysim-bin/tinysim"
echo "$RUNNER_TEMP/tinysim-bin" >>"$GITHUB_PATH"
