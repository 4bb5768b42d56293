#!/bin/sh
# Unpacks Debian's spin below the folder given, without installing it: nothing
# needs root. usr/bin/spin is there afterwards.
set -eu
into=$1
version=6.5.2+dfsg-1
mkdir -p "$into"
cd "$into"
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
	echo "spin: this system has no apt-get; install spin 6.5 by its own means and have it in PATH" >&2
	exit 1
}
apt-get -q download "spin=$version" || { echo "spin: run apt-get update, or install spin by other means" >&2; exit 1; }
dpkg-deb -x spin_*.deb .
rm spin_*.deb
