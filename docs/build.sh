#!/usr/bin/env bash
# Builds the site into a folder, and checks the links inside of it: build.sh BIN TO
set -euo pipefail
bin=$1 to=$2
docs=$(dirname "$0")
export TF_CPP_MIN_LOG_LEVEL=2
"$bin/python" -m sphinx --quiet --builder html --fail-on-warning --keep-going --nitpicky --fresh-env \
  --doctree-dir "$to.doctrees" "$docs" "$to"
"$bin/python" "$docs/generators/links.py" "$to"
