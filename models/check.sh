#!/bin/sh
# Checks models/withdrawal.pml with spin: the protocol as it is must have no
# counterexample, every planted mistake must have one. Prints a line for each;
# fails where one is not as expected. With --deep it also takes the larger search.
# SPIN names the binary, CC the compiler.
set -eu
model=$(cd "$(dirname "$0")" && pwd)/withdrawal.pml
SPIN=${SPIN:-spin}
CC=${CC:-cc}
command -v "$SPIN" >/dev/null || { echo "model: spin is missing (make tools fetches it, or: apt install spin)" >&2; exit 1; }
command -v "$CC" >/dev/null || { echo "model: a C compiler is missing (apt install gcc)" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0
speed=-O1 # worth its compile time where the search is long
depth=2000000 # steps of one path, the bound of the search; reaching it is a failure

# reason says in words which of the model's assertions failed.
reason() {
	case $1 in
	*'invalid end state'*) echo 'came to rest in the middle' ;;
	*'sent&'*) echo 'sent before it was stored' ;;
	*'slot[0]!=slot[1]'*) echo 'two withdrawals took one nonce' ;;
	*'counter==used'*) echo 'came to rest with a wrong end or an unused nonce' ;;
	*'<=1'*) echo 'the hold ended twice' ;;
	*'posts['*) echo 'posted, but not paid for good' ;;
	*'voids['*) echo 'released, but paid or still payable' ;;
	*'depth['*) echo 'paid twice' ;;
	*) echo "$1" ;;
	esac
}

# check NAME holds|fails MACRO…
check() {
	name=$1 want=$2
	shift 2
	"$SPIN" -a "$@" "$model" >spin.log || { cat spin.log >&2; exit 1; }
	"$CC" "$speed" -w -DSAFETY -DCOLLAPSE -DMEMLIM=2048 -o pan pan.c
	./pan -m$depth -w22 >pan.log || true
	states=$(awk '/states, stored/ { printf "%d", $1 }' pan.log)
	verdict=holds why=
	if grep -q '^pan:1: ' pan.log; then
		verdict=fails why=": $(reason "$(grep -m1 '^pan:1: ' pan.log)")"
	elif ! grep -q 'errors: 0' pan.log || grep -q 'Search not completed\|search depth too small\|out of memory\|max search' pan.log; then
		verdict='not finished'
	fi
	note=
	[ "$verdict" = "$want" ] || { failed=1 note="  ← should be: $want"; }
	printf '%-42s %9s states  %s%s%s\n' "$name" "${states:-?}" "$verdict" "$why" "$note"
}

check 'one withdrawal, a second worker, 3 deep' holds -DLATE -DFINAL_DEPTH=3
check 'a new nonce per retry' fails -DNEW_NONCE -DNO_AUDIT
check 'sent before it is stored' fails -DSEND_FIRST
check 'released where a send fails' fails -DVOID_ON_ERROR
check 'posted without a guard' fails -DPOST_UNGUARDED
check 'posted at the first confirmation' fails -DPOST_EARLY
check 'released before the cancellation is final' fails -DVOID_EARLY
check 'cancelled without comparing the state' fails -DCANCEL_UNGUARDED -DNO_AUDIT
check 'the nonce counter is not locked' fails -DCOUNTER_UNLOCKED
speed=-O2
check 'two withdrawals of one key' holds
if [ "${1:-}" = --deep ]; then
	check 'two withdrawals of one key, 3 deep' holds -DFINAL_DEPTH=3
fi
exit $failed
