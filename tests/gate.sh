#!/usr/bin/env bash
# Everything that has to hold before a change lands. Called by `make test`.
set -euo pipefail
bin=$(cd "$1" && pwd)
export TF_CPP_MIN_LOG_LEVEL=2

"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/lint-imports" --config setup.cfg
"$bin/mypy"

# The installed package, from another folder, on what its wheel holds and nothing else.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$bin/python" -m pip wheel --quiet --no-deps --wheel-dir "$scratch/wheel" .
"$bin/python" -m pip install --quiet --no-deps --target "$scratch/site" "$scratch"/wheel/*.whl
(
  cd "$scratch"
  export PYTHONPATH="$scratch/site"
  "$bin/python" -c "import os, zoo, pipelines
for package in (zoo, pipelines):
    assert package.__file__.startswith(os.environ['PYTHONPATH']), package.__file__"
  "$bin/python" -m pipelines.cli train --config.data='builtin:digits?limit=300' \
    --config.backbone=tiny_image --config.weights=none --config.strategy=scratch \
    --config.finetune.epochs=1 --config.workdir=run
  "$bin/python" -m pipelines.data.samples builtin:digits samples
  "$bin/python" -m pipelines.cli predict run/artifact samples/*.png --json
  "$bin/python" -c "from pipelines.serving.server import playground
assert len(playground.routes(list)) == 4"
) >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
echo "installed package: trained and predicted from another folder"

# Commands that must answer within half a second, while nothing else runs.
"$bin/python" -m pytest tests/pipelines/test_cli.py tests/zoo/test_zoo_plugins.py

# Three processes keep two cores busy: the contract, which builds each backbone once for
# all its files, and two that share all other files.
"$bin/python" -m pytest tests/zoo/contract --durations=20 >"$scratch/contract" 2>&1 &
failed=0
"$bin/python" -m pytest --numprocesses=2 --dist=loadfile --ignore=tests/zoo/contract \
  --ignore=tests/pipelines/test_cli.py --ignore=tests/zoo/test_zoo_plugins.py \
  --durations=40 || failed=1
wait $! || failed=1
cat "$scratch/contract"
exit $failed
