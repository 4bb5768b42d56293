#!/bin/sh
# Measures how many mutations of the code that decides about money its own tests
# notice. Each target is copied with what it imports and nothing else, so that the
# packages below it do not test it too. Usage: mutate.sh GREMLINS [TARGET…]
# Prints what lived of each target, and a table at the end; fails where a score is
# below LEAST (85) per cent. A score is killed / (killed + lived), in per cent:
# what is not covered, does not compile or does not end within its time counts on
# neither side and is listed. Conditions of switch cases belong to no statement, so
# coverage tells nothing about them and they are never mutated.
set -eu
gremlins=$1
shift
least=${LEAST:-85}
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
# Without vet: a mutant is noticed by a test or not at all. Without symbols, for
# each of hundreds of mutants is linked.
export GOFLAGS='-mod=mod -buildvcs=false -failfast -vet=off -ldflags=-s'

# files TARGET prints which files of the target are mutated, as an expression.
files() {
	case $1 in
	# What is judged in memory; the rest of the ledger is statements for PostgreSQL.
	ledger) echo 'apply|balance|book|position|undo|validate' ;;
	# What judges a request; the rest is files, and the order of steps.
	signer) echo 'bitcoin|book|draft|evm|keys|policy|record|request' ;;
	*) echo '[a-z_]+' ;;
	esac
}

# tests TARGET prints which tests judge it. The ledger's rules in memory have their
# own, against a reference; a server for each mutation would take hours.
tests() {
	case $1 in
	ledger) echo '-short -run=^Test(BalanceCounts|BookAgrees|BookForgets|Bounds|Bytes|CacheStays|Malformed|RequestHash)' ;;
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

# count NAME prints the number that gremlins gave to it.
count() { sed -n "s/.*$1: \([0-9]*\).*/\1/p" "$work/log"; }

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
trap 'exit 1' HUP INT TERM
# What the compiler refuses was not noticed by a test: gremlins wants a 2 for that.
mkdir "$temp/bin"
cat >"$temp/bin/go" <<SHIM
#!/bin/sh
[ "\$1" = test ] || exec "$(command -v go)" "\$@"
code=0
said=\$("$(command -v go)" "\$@" 2>&1) || code=\$?
case \$code\$said in 1*'[build failed]'*) code=2 ;; esac
printf '%s\n' "\$said"
exit \$code
SHIM
chmod +x "$temp/bin/go"

row='%-16s %8s %8s %6s %12s %10s %11s%s\n'
# shellcheck disable=SC2059 # the format is the one above
printf "$row" target 'score %' killed lived 'not covered' 'timed out' 'not viable' '' >"$temp/table"
failed=0
for target in ${*:-custody custody/feedesk ledger signer}; do
	[ -d "$target" ] || continue
	echo "→ $target"
	work=$temp/$(echo "$target" | tr / -)
	copy "$target" "$work"
	others=$(cd "$work/$target" && find . -name '*.go' ! -name '*_test.go' | sed 's|^\./||' | grep -Ev "^($(files "$target"))\.go$" | sed 's|.*|-E ^&$|' || true)
	# shellcheck disable=SC2086 # one word for each flag
	(cd "$work" && PATH="$temp/bin:$PATH" GOFLAGS="$GOFLAGS $(tests "$target")" nice "$gremlins" unleash --workers "${WORKERS:-2}" --timeout-coefficient 30 -S lctv $others "./$target") >"$work/log" 2>&1 || true
	grep -E '^ *(LIVED|NOT COVERED|TIMED OUT|NOT VIABLE)' "$work/log" || true
	score=$(sed -n 's/^Test efficacy: \([0-9.]*\)%.*/\1/p' "$work/log")
	[ -n "$score" ] || { tail -20 "$work/log" >&2; exit 1; }
	note=
	[ "$(awk -v s="$score" -v l="$least" 'BEGIN { print (s < l) }')" = 0 ] || { failed=1 note="  ← at least $least is asked for"; }
	# shellcheck disable=SC2059
	printf "$row" "$target" "$score" "$(count Killed)" "$(count Lived)" "$(count 'Not covered')" "$(count 'Timed out')" "$(count 'Not viable')" "$note" | tee -a "$temp/table"
	rm -rf "$work"
done
echo
cat "$temp/table"
exit $failed
