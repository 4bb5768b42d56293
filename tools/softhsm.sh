#!/bin/sh
# Sees to SoftHSM, the PKCS#11 token in software that the signer's tests use: the one that
# is installed, else Debian's, unpacked below .tools and not installed. Root is not needed:
# apt gets lists and caches of its own, and checks who signed what it fetches. Tests find
# the library by itself; each makes a token in a folder of its own.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
into=$root/.tools/softhsm
for module in "$into/libsofthsm2.so" /usr/lib/softhsm/libsofthsm2.so; do
	[ "${1:-}" != --unpack ] && [ -f "$module" ] && exit 0
done
refuse() {
	echo "softhsm: $1; install softhsm2, or name a module by STRONGROOM_TEST_PKCS11_MODULE" >&2
	exit 1
}
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || refuse 'this system has no apt-get'
echo '→ SoftHSM from the Debian archive, unpacked and not installed'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/root"
: >"$work/status"
apt() {
	apt-get -qq -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache" \
		-o Debug::NoLocking=1 -o APT::Sandbox::User=root -o APT::Update::Post-Invoke='' "$@"
}
apt update 2>"$work/log" || { cat "$work/log" >&2; refuse 'apt cannot fetch its lists'; }
# Only the library: what it needs (libcrypto 3, libstdc++) came with the compiler that cgo needs.
(cd "$work" && apt download libsofthsm2 >log 2>&1) || { cat "$work/log" >&2; refuse 'no libsofthsm2 can be fetched'; }
dpkg-deb -x "$work"/libsofthsm2_*.deb "$work/root"
library=$(find "$work/root/usr/lib" -name libsofthsm2.so -type f | head -n 1)
[ -n "$library" ] || refuse 'the package has no library'
if ldd "$library" | grep 'not found' >&2; then refuse 'the libraries above are missing'; fi
mkdir -p "$into"
cp "$library" "$into/libsofthsm2.so.new"
mv "$into/libsofthsm2.so.new" "$into/libsofthsm2.so"
