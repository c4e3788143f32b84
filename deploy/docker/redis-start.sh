#!/bin/sh
# Start Redis behind a password that was made here and never leaves the memory of this host:
# the folder is a tmpfs, shared with both services, who find it through REDIS_PASSWORD_FILE.
set -eu
folder=/run/redis-auth

if [ -n "${REDIS_PASSWORD:-}" ]; then
  printf '%s' "$REDIS_PASSWORD" >"$folder/password"
elif [ ! -s "$folder/password" ]; then
  head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' >"$folder/password"
fi
unset REDIS_PASSWORD

# In a file, not on the command line, where any process could read it.
umask 077
{
  cat /etc/redis.conf
  printf 'requirepass %s\n' "$(cat "$folder/password")"
} >/tmp/redis.conf
exec redis-server /tmp/redis.conf
