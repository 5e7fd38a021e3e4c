#!/usr/bin/env bash
# Installs Apache Beam beside the Pillow and protobuf that are there: it asks for a Pillow
# with known holes. What it needs besides, the extra `beam` brings.
set -euo pipefail
python=$1/python

"$python" -m pip --disable-pip-version-check install --quiet --no-deps 'apache-beam>=2.77,<3'
"$python" -I -c 'import apache_beam'
