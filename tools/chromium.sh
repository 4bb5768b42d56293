#!/bin/sh
# Sees to a Chromium for the tests of pages: the one that is installed, else Debian's,
# unpacked below .tools and not installed. Root is not needed: apt gets lists and caches of
# its own, and checks who signed what it fetches. It comes with all its libraries but libc,
# so that it is the same whatever a machine has; its version is not pinned, because
# Debian's archive keeps the newest alone.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
into=$root/.tools/chromium
wrapper=$root/.tools/bin/chromium
[ -x "$wrapper" ] && exit 0
command -v chromium >/dev/null && exit 0
refuse() {
	echo "chromium: $1; have a Chromium of 120 or newer as \"chromium\" in PATH" >&2
	exit 1
}
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || refuse 'this system has no apt-get'
echo '→ Chromium from the Debian archive, unpacked and not installed (about 130 MB)'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/root" "$work/home"
# What apt is told is there: libc, which every machine has, and what a browser without
# windows does not use.
for package in libc6 libgtk-3-0 libgtk-3-0t64 x11-utils xdg-utils libgl1-mesa-dri debconf; do
	printf 'Package: %s\nStatus: install ok installed\nVersion: 99\nArchitecture: %s\nMaintainer: none\nDescription: none\n\n' \
		"$package" "$(dpkg --print-architecture)"
done >"$work/status"
apt() {
	apt-get -qq -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache" \
		-o Debug::NoLocking=1 -o APT::Sandbox::User=root -o APT::Update::Post-Invoke='' "$@"
}
apt update 2>"$work/log" || { cat "$work/log" >&2; refuse 'apt cannot fetch its lists'; }
apt -y --download-only --no-install-recommends install chromium >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	refuse "this machine's package sources have no chromium that can be fetched"
}
for package in "$work"/cache/archives/*.deb; do
	dpkg-deb -x "$package" "$work/root"
done

rm -rf "$into" "$into.new"
mkdir -p "$into.new/lib" "$(dirname "$wrapper")"
cp -R "$work/root/usr/lib/chromium" "$into.new/browser"
cp -R "$work/root/usr/share/fonts" "$into.new/fonts"
# The folders of nss and pulse hold libraries that theirs open.
for libraries in "$work"/root/lib/*-linux-gnu "$work"/root/usr/lib/*-linux-gnu "$work"/root/usr/lib/*-linux-gnu/nss "$work"/root/usr/lib/*-linux-gnu/pulseaudio; do
	[ ! -d "$libraries" ] || find "$libraries" -maxdepth 1 -name '*.so*' -exec cp -P {} "$into.new/lib/" \;
done
cat >"$into.new/fonts.conf" <<'XML'
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
	<dir prefix="relative">fonts</dir>
	<dir>/usr/share/fonts</dir>
	<cachedir prefix="xdg">fontconfig</cachedir>
	<alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
	<alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
XML
mv "$into.new" "$into"
cat >"$wrapper.new" <<'SH'
#!/bin/sh
here=$(cd "$(dirname "$(readlink -f "$0")")/../chromium" && pwd)
LD_LIBRARY_PATH=$here/lib FONTCONFIG_FILE=$here/fonts.conf exec "$here/browser/chromium" "$@"
SH
chmod +x "$wrapper.new"
# A page that it shows is the proof that nothing is missing.
HOME=$work/home timeout -s KILL 60 "$wrapper.new" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
	--dump-dom 'data:text/html,<p>it%20works</p>' >"$work/page" 2>"$work/log" || true
grep -q 'it works' "$work/page" || { cat "$work/log" >&2; refuse 'the one that was fetched does not run here'; }
mv "$wrapper.new" "$wrapper"
