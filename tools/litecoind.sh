#!/bin/sh
# Brings litecoind, and the libraries that it needs, from Debian's signed archive
# into a folder. Nothing is installed and root is not needed: apt gets lists and
# caches of its own. The node is pinned by version and checksum; the libraries are
# named by their binary interface, and apt checks who signed them.
set -eu

into=$1
version=0.21.2.1-1+b1
checksum=6a72afa9311f33c5070e11bcef165b230b15f9b68898603f43ce59c82575c7a6
libraries='libboost-filesystem1.74.0 libboost-thread1.74.0 libdb5.3++ libevent-2.1-7 libevent-core-2.1-7
libevent-pthreads-2.1-7 libfmt9 libleveldb1d libsnappy1v5 libminiupnpc17'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/root"
: >"$work/status"
cd "$work"
apt() {
	apt-get -qq -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache" \
		-o Debug::NoLocking=1 -o APT::Sandbox::User=root -o APT::Update::Post-Invoke='' "$@"
}
apt update 2>apt.log || { cat apt.log >&2; exit 1; }
# shellcheck disable=SC2086 # a list of names
apt download "litecoind=$version" $libraries >/dev/null || {
	echo "litecoind $version is not in this machine's package sources; it comes with Debian 12 (bookworm, main)" >&2
	exit 1
}
echo "$checksum  $(echo litecoind_*.deb)" | sha256sum --check --quiet
for package in *.deb; do
	dpkg-deb -x "$package" root
done
rm -rf "$into"
mkdir -p "$into/lib"
cp root/usr/lib/litecoin/litecoind "$into/"
cp -P root/usr/lib/*-linux-gnu/*.so* "$into/lib/"
