#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Brings a fresh machine to the point where the Makefile's targets run. Says in one line what it can't do, and does the rest.
#   scripts/setup.sh packages NAME...   Debian packages, only those that are missing
#   scripts/setup.sh modules            npm packages, only when package-lock.json changed
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

packages() {
  local missing=() name
  command -v dpkg-query >/dev/null || { say "not a Debian machine: install by hand what is missing of: $*"; return 0; }
  for name in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" != 0 ]; then say "not root: can't install ${missing[*]}"; return 0; fi
  say "installing ${missing[*]}"
  apt-get -o DPkg::Lock::Timeout=300 update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

modules() {
  local stamp=node_modules/.plumbline-lock
  command -v npm >/dev/null || { say "npm is missing: install Node.js 20 or newer"; return 1; }
  cmp -s package-lock.json "$stamp" && return 0
  say "installing npm packages"
  npm ci --no-fund --no-audit --loglevel=error >&2
  cp package-lock.json "$stamp"
}

"$@"
