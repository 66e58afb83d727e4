#!/usr/bin/env bash
# Each header below src/ compiles alone, twice over, with gcc and with clang.
# usage: check_headers.sh [SOURCE_ROOT]
set -euo pipefail
root=${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
cd "$root"
mapfile -t headers < <(find src -name '*.h' | sort)
[ "${#headers[@]}" -gt 0 ] || {
	echo "there is no header below $root/src" >&2
	exit 1
}
bad=0
read -ra flags < <(pkg-config --cflags libpq)
for compiler in gcc clang; do
	for header in "${headers[@]}"; do
		printf '#include "%s"\n#include "%s"\nextern int unused_;\n' "${header#src/}" "${header#src/}" |
			"$compiler" -std=c17 -D_GNU_SOURCE -Isrc "${flags[@]}" -Wall -Wextra -Werror -fsyntax-only -x c - || {
			echo "$header does not compile alone with $compiler" >&2
			bad=1
		}
	done
done
exit $bad
