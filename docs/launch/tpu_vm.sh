#!/usr/bin/env bash
# A run on a TPU VM of Google Cloud. Not tried on one: see docs/reference/distributed.md.
#
#   NAME=zootune ZONE=us-central1-a TYPE=v5litepod-8 docs/launch/tpu_vm.sh \
#     --config.data=dir:photos --config.workdir=runs/photos --config.strategy=full
#
# Makes the VM if there is none of that name, installs this checkout, trains, and leaves
# the VM on: delete it with `gcloud compute tpus tpu-vm delete`.
set -euo pipefail

: "${NAME:?Set NAME, of the TPU VM}" "${ZONE:?Set ZONE}" "${TYPE:?Set TYPE}"
image=${IMAGE:-v2-alpha-tpuv5-lite}
here=$(cd "$(dirname "$0")/../.." && pwd)
flags=$(printf ' %q' --config.distribution=tpu "$@")
tpu=(gcloud compute tpus tpu-vm)

if ! "${tpu[@]}" describe "$NAME" --zone="$ZONE" >/dev/null 2>&1; then
  "${tpu[@]}" create "$NAME" --zone="$ZONE" --accelerator-type="$TYPE" --version="$image"
fi
git -C "$here" archive --prefix=zootune/ --output=/tmp/zootune.tar HEAD
"${tpu[@]}" scp /tmp/zootune.tar "$NAME:" --zone="$ZONE"
"${tpu[@]}" ssh "$NAME" --zone="$ZONE" --command="
  set -e
  tar xf zootune.tar
  python3 -m venv --clear env
  env/bin/pip install ./zootune tensorflow-tpu \\
    -f https://storage.googleapis.com/libtpu-tf-releases/index.html
  env/bin/zoo train$flags"
