#!/usr/bin/env bash
# Run one noisy command behind one short line: step.sh "What it does" command [argument ...]
# Its output goes to .run/steps/, and to the screen when it fails (or always, with VERBOSE=1).
set -euo pipefail

title=$1
shift
cd "$(dirname "$0")/.."
mkdir -p .run/steps
log=.run/steps/$(printf '%s' "$title" | tr -cs '[:alnum:]' '-').log
started=$SECONDS

if [ -n "${VERBOSE:-}" ]; then
  printf '  %s\n' "$title"
  exec "$@"
fi

[ -t 1 ] && printf '  %s ...' "$title"
if "$@" >"$log" 2>&1 </dev/null; then
  [ -t 1 ] && printf '\r\033[K'
  printf '  %s: done in %d s\n' "$title" $((SECONDS - started))
else
  status=$?
  [ -t 1 ] && printf '\r\033[K'
  printf '  %s: FAILED after %d s, see %s:\n' "$title" $((SECONDS - started)) "$log"
  # Some tools say what is wrong first, some last.
  awk 'NR <= 15 || NR > total - 30 { print "    " $0 } NR == 16 && total > 45 { print "    [...]" }' \
    total="$(wc -l <"$log")" "$log"
  exit "$status"
fi
