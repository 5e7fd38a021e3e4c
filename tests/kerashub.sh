#!/usr/bin/env bash
# Installs KerasHub beside the TensorFlow that is there. With what they depend on, its
# packages would bring the whole of TensorFlow over the files of tensorflow-cpu.
set -euo pipefail
python=$1/python

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "KerasHub needs Python 3.11: its presets are left out"
  exit 0
fi
# The ops of tensorflow-text fit the TensorFlow of the same minor version only.
series=$("$python" -c 'import importlib.metadata as m
[package, *_] = m.packages_distributions()["tensorflow"]
print(".".join(m.version(package).split(".")[:2]))')
"$python" -m pip --disable-pip-version-check install --quiet --no-deps \
  keras-hub==0.32.0 "tensorflow-text==$series.*"
