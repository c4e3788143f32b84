#!/usr/bin/env bash
# Make sure that programs are there which no Python wheel brings: system_packages.sh tests|compose
# Missing ones are installed from Debian packages when this user may do so; no service is
# left running by that. Otherwise it says what to install and fails.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

# program:package
case ${1:-} in
  tests) wanted=(mosquitto:mosquitto redis-server:redis-server chromium:chromium) ;;
  compose) wanted=(dockerd:docker.io iptables:iptables mmdebstrap:mmdebstrap) ;;
  *) echo "usage: system_packages.sh tests|compose" >&2; exit 2 ;;
esac
missing=()
for pair in "${wanted[@]}"; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

give_up() {
  echo "Missing here: ${missing[*]}. $1" >&2
  echo "Install them and try again, on Debian: sudo apt-get install ${missing[*]}" >&2
  exit 1
}

command -v apt-get >/dev/null || give_up "This system has no apt-get to install them with."
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null || give_up "Installing them takes root, and sudo without a password does not work."
  as_root=(sudo -n)
fi

# Debian starts a service as soon as its package is in. policy-rc.d is the documented way to say no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi

# Another apt may be busy on this machine: wait for its lock instead of failing.
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq)
mkdir -p .run
exec 9>.run/system-packages.lock
command -v flock >/dev/null && flock 9
scripts/step.sh "Refresh the package lists" "${apt[@]}" update
scripts/step.sh "Install ${missing[*]}" \
  "${apt[@]}" install --yes --no-install-recommends "${missing[@]}"
