#!/usr/bin/env bash
# Installs the messages of TensorFlow Serving beside the TensorFlow that is there: the
# package asks for the whole of `tensorflow`, over the files of tensorflow-cpu.
set -euo pipefail
python=$1/python

series=$("$python" -c 'import importlib.metadata as m
[package, *_] = m.packages_distributions()["tensorflow"]
print(".".join(m.version(package).split(".")[:2]))')
"$python" -m pip --disable-pip-version-check install --quiet --no-deps \
  "tensorflow-serving-api==$series.*"
