#!/usr/bin/env bash
# Everything that has to hold before a change lands. Called by `make test`.
set -euo pipefail
bin=$(cd "$1" && pwd)
export TF_CPP_MIN_LOG_LEVEL=2
# Threads of NumPy wait for each other by computing nothing: a quarter of the CPU seconds
# of a small run, where several processes share two cores.
export OPENBLAS_NUM_THREADS=1

"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/python" tests/house.py

scratch=$(mktemp -d)
warm=
clean_up() {
  # Waited for, or the time of its processes would count for nobody.
  [ -z "$warm" ] || { kill "$warm" && wait "$warm"; } 2>/dev/null || true
  rm -rf "$scratch"
}
trap clean_up EXIT

# Types and imports on one core, while the other one trains.
{ "$bin/lint-imports" --config setup.cfg && "$bin/mypy"; } >"$scratch/lint" 2>&1 &
lint=$!

# The installed package, from another folder, on what its wheel holds and nothing else.
"$bin/python" -m pip wheel --quiet --no-deps --wheel-dir "$scratch/wheel" .
"$bin/python" -m pip install --quiet --no-deps --target "$scratch/site" "$scratch"/wheel/*.whl
(
  cd "$scratch"
  export PYTHONPATH="$scratch/site"
  "$bin/python" -c "import os, zootune, zoo, pipelines
for package in (zootune, zoo, pipelines):
    assert package.__file__.startswith(os.environ['PYTHONPATH']), package.__file__"
  "$bin/python" -m pipelines.cli train --config.data='builtin:digits?limit=120' \
    --config.backbone=tiny_image --config.weights=none --config.strategy=head_only \
    --config.workdir="$scratch/run"
  "$bin/python" -m pipelines.data.samples builtin:digits samples
  "$bin/python" -m pipelines.cli predict run/artifact samples/*.png --json
  "$bin/python" -c "from pipelines.serving.server.http import playground
assert len(playground.routes(list)) == 4"
) >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
echo "installed package: trained and predicted from another folder"
# The finished run of tests/pipelines/conftest.py, for all parts.
export ZOOTUNE_FINISHED_RUN="$scratch/run"

wait "$lint" || { cat "$scratch/lint"; exit 1; }
tail -n 1 "$scratch/lint"

# Commands that must answer within half a second, while nothing else runs.
timed=half_a_second
"$bin/python" -m pytest -k "$timed" tests/pipelines/test_cli.py tests/zoo/test_plugins.py

# All parts, and the processes of their tests, are forked from this one: see
# tests/support/warm_python.py.
export ZOOTUNE_WARM_PYTHON="$scratch/warm"
"$bin/python" tests/support/warm_server.py "$ZOOTUNE_WARM_PYTHON" 2>"$scratch/log" &
warm=$!
until [ -S "$ZOOTUNE_WARM_PYTHON" ]; do
  kill -0 "$warm" 2>/dev/null || { cat "$scratch/log"; exit 1; }
  sleep 0.1
done

# Everything else in parts, four at a time: some wait, and two cores stay busy. Each
# has a process of its own, which gives its memory back; those that take longest come
# first.
# Of a folder, a part takes what no other part names.
P=tests/pipelines
E=tests/e2e
parts=(
  "docs tests/test_readme.py tests/docs tests/test_configs.py"
  "e2e-1 $E"
  "zoo tests/zoo"
  "training $P/training"
  "stages $P/stages $P/features"
  "pipelines $P"
  "data $P/data $P/audit"
  "commands $P/commands $P/config $P/runs $P/runtime"
  "e2e-2 $E/test_end_to_end.py $E/test_kerashub.py"
  "contract-1/2 tests/zoo/contract"
  "faults tests/faults"
  "e2e-3 $E/test_quickstart.py $E/test_records.py $E/test_same_seed.py"
  "contract-2/2 tests/zoo/contract"
  "formats $P/batch $P/formats $P/report $P/planning $P/probing $P/calibration $P/serving"
  "server $P/serving/server"
  "rest tests"
)
named=$(printf '%s\n' "${parts[@]}" | cut -d' ' -f2- | tr ' ' '\n' | sort -u)
part() {
  local name=$1 status=0 folders=() others=() log folder
  shift
  log="$scratch/part-${name%%/*}"
  for folder in $named; do
    [[ " $* " == *" $folder "* ]] || others+=(-path "$folder" -prune -o)
  done
  for folder in "$@"; do folders+=("$folder"); done
  local TIMEFORMAT='%0R s'
  [[ $name != contract-* ]] || export CONTRACT_PART="${name#contract-}"
  export ZOOTUNE_PART_SECONDS="$log.cpu"
  {
    time find "${folders[@]}" "${others[@]}" -name 'test_*.py' -print | sort |
      xargs "$bin/python" -S tests/support/warm_python.py \
        -m pytest -k "not $timed" --durations=15 >"$log" 2>&1
  } 2>"$log.seconds" || status=$?
  echo "$name, $(tail -n 1 "$log.seconds"), $(cat "$log.cpu" || true) s of CPU:" \
    "$(tail -n 1 "$log")"
  return $status
}
export bin scratch named timed
export -f part
failed=0
printf '%s\n' "${parts[@]}" | xargs -P 4 -L 1 bash -c 'part "$@"' part || failed=1
awk -v ticks="$(getconf CLK_TCK)" \
  '{ printf "all parts and what they started: %.0f s of CPU\n", ($14 + $15 + $16 + $17) / ticks }' \
  "/proc/$warm/stat"
rm -f "$scratch"/part-*.seconds "$scratch"/part-*.cpu
cat "$scratch"/part-*
exit $failed
