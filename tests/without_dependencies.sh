#!/usr/bin/env bash
# Installs packages without what they ask for, beside the TensorFlow that is there.
#   apache-beam: it asks for a Pillow with known holes, and an older protobuf. What it
#     needs besides, the extra `beam` brings.
#   tensorflow-serving-api, keras-hub, tensorflow-text: they ask for the whole of
#     `tensorflow`, over the files of tensorflow-cpu. KerasHub needs Python 3.11.
set -euo pipefail
python=$1/python

# The ops of tensorflow-text fit the TensorFlow of the same minor version only.
series=$("$python" -c 'import importlib.metadata as m
package = "tensorflow-cpu"
try:
    m.version(package)
except m.PackageNotFoundError:
    package = "tensorflow"
print(".".join(m.version(package).split(".")[:2]))')
packages=('apache-beam>=2.77,<3' "tensorflow-serving-api==$series.*")
if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  packages+=(keras-hub==0.32.0 "tensorflow-text==$series.*")
else
  echo "KerasHub needs Python 3.11: its presets are left out"
fi
"$python" -m pip --disable-pip-version-check install --quiet --no-deps "${packages[@]}"
"$python" -I -c 'import apache_beam'
