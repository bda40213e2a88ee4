#!/bin/sh
# Runs a k6 script of this directory against the fleet: loadtest/k6.sh smoke.js [k6 flags]
#
# The development CA of a local fleet is trusted when it is found; BASE_URL and the
# other variables of lib/fleet.js lead elsewhere. K6 names the program; without one in
# PATH it is built from source by Go (minutes, the first time).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || { sed -n '2,4s/^# *//p' "$0"; exit 2; }
script=$1
shift

ca=${SSL_CERT_FILE:-$here/../.flotilla/pki/ca.crt}
if [ -z "${INSECURE:-}" ] && [ -z "${BASE_URL:-}" ] && [ -f "$ca" ]; then
	export SSL_CERT_FILE="$ca" INSECURE=off
fi
if [ -z "${K6:-}" ]; then
	if command -v k6 >/dev/null 2>&1; then K6=k6; else K6="go run go.k6.io/k6@v1.8.1"; fi
fi
cd "$here/.."
# shellcheck disable=SC2086 # K6 may be a command with arguments
exec $K6 run --no-usage-report "$@" "loadtest/$(basename "$script")"
