#!/bin/sh
# Measures how many mutations of the code that decides about money its own tests
# notice. Each target is copied with what it imports and nothing else, so that the
# packages below it do not test it too. Usage: mutate.sh GREMLINS [TARGET…]
# Prints each target's score; fails where one is below LEAST (85) per cent.
set -eu
gremlins=$1
shift
least=${LEAST:-85}
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
export GOFLAGS='-mod=mod -buildvcs=false -failfast'

# files TARGET prints which files of the target are mutated, as an expression.
files() {
	case $1 in
	# What is judged in memory; the rest of the ledger is statements for PostgreSQL.
	ledger) echo 'apply|balance|book|undo|validate' ;;
	signer) echo 'bitcoin|book|draft|evm|policy|record|request' ;;
	*) echo '[a-z_]+' ;;
	esac
}

# tests TARGET prints which tests judge it. The ledger's rules in memory have their
# own, against a reference; a server for each mutation would take hours.
tests() {
	case $1 in
	ledger) echo '-short -run=^Test(BookAgrees|Malformed|RequestHash|CacheStays)' ;;
	# The journal's own tests cut it at each byte and say nothing about a request.
	signer) echo '-short -run=^Test -skip=Journal|Keystore' ;;
	*) echo '-run=^Test' ;;
	esac
}

copy() {
	go list -deps -test -f '{{if not .Standard}}{{.Dir}}{{end}}' "./$1" | grep "^$root/" | sort -u |
		while read -r dir; do
			to=$2/${dir#"$root"/}
			mkdir -p "$to"
			find "$dir" -maxdepth 1 -type f -exec cp {} "$to/" \;
			for data in testdata migrations artifacts; do
				[ ! -d "$dir/$data" ] || cp -r "$dir/$data" "$to/"
			done
		done
	cp go.mod go.sum "$2/"
}

failed=0
for target in ${*:-custody custody/feedesk ledger signer}; do
	[ -d "$target" ] || continue
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	copy "$target" "$work"
	others=$(cd "$work/$target" && find . -name '*.go' ! -name '*_test.go' | sed 's|^\./||' | grep -Ev "^($(files "$target"))\.go$" | sed 's|.*|-E ^&$|' || true)
	# shellcheck disable=SC2086 # one word for each flag
	(cd "$work" && GOFLAGS="$GOFLAGS $(tests "$target")" nice "$gremlins" unleash --workers "${WORKERS:-2}" --timeout-coefficient 30 -S lctv $others "./$target") >"$work/log" 2>&1 || true
	grep -E '^ *(LIVED|NOT COVERED|TIMED OUT|NOT VIABLE)' "$work/log" || true
	score=$(sed -n 's/^Test efficacy: \([0-9.]*\)%.*/\1/p' "$work/log")
	[ -n "$score" ] || { tail -20 "$work/log" >&2; exit 1; }
	counts=$(sed -n 's/^\(Killed:.*\)/\1/p' "$work/log")
	below=$(awk -v s="$score" -v l="$least" 'BEGIN { print (s < l) }')
	note=
	[ "$below" = 0 ] || { failed=1 note="  ← at least $least % is asked for"; }
	printf '%-16s %6s %% of mutants noticed  (%s)%s\n' "$target" "$score" "$counts" "$note"
	rm -rf "$work"
done
exit $failed
