#!/usr/bin/env bash
# Starts a run on several machines over ssh, the first of which is the chief, and starts
# it again on all of them when one was lost.
#
#   MACHINES="10.0.0.1 10.0.0.2" docs/launch/machines.sh \
#     --config.data=dir:/data/photos --config.workdir=runs/photos --config.strategy=full
#
# Each machine needs zootune, the data under the same path, and PORT (2222) open to the
# others. The run folder is on the chief. ATTEMPTS (20) is how often it is started.
set -euo pipefail

read -ra machines <<<"${MACHINES:?Set MACHINES to the addresses, the chief first}"
port=${PORT:-2222}
# What training ends with when another worker was lost (5), or was killed itself.
lost_codes=" 5 137 143 255 "

addresses=""
for machine in "${machines[@]}"; do
  addresses+="${addresses:+, }\"$machine:$port\""
done
flags=$(printf ' %q' --config.distribution=workers "$@")

run_once() {
  local pids=() index worst=0 code
  for index in "${!machines[@]}"; do
    local tf_config="{\"cluster\": {\"worker\": [$addresses]}, \"task\": {\"type\": \"worker\", \"index\": $index}}"
    ssh -o BatchMode=yes -o ServerAliveInterval=15 "${machines[$index]}" \
      "TF_CONFIG=$(printf %q "$tf_config") zoo train$flags" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    code=0
    wait "$pid" || code=$?
    if ((code != 0)); then
      # Another code than of a lost worker says why, and starting again is of no use.
      if ((worst == 0)) || [[ $lost_codes != *" $code "* ]]; then worst=$code; fi
    fi
  done
  return "$worst"
}

for ((attempt = 1; attempt <= ${ATTEMPTS:-20}; attempt++)); do
  code=0
  run_once || code=$?
  if [[ $lost_codes != *" $code "* ]]; then exit "$code"; fi
  echo "A worker was lost (code $code); starting all again, attempt $attempt." >&2
  sleep "${PAUSE_SECONDS:-10}"
done
exit "$code"
