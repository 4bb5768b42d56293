#!/bin/sh
# Sees to a Chromium for the tests of pages: the one that is installed, else Debian's,
# which apt installs where this runs as root.
set -eu
command -v chromium >/dev/null && exit 0
hint='install it: apt-get install chromium (Debian 12), or have a Chromium of 120 or newer as "chromium" in PATH'
command -v apt-get >/dev/null || { echo "chromium is missing; $hint" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "chromium is missing, and installing it takes root; $hint" >&2; exit 1; }
apt-get -q update
apt-get -q install -y --no-install-recommends chromium
