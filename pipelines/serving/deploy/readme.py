"""The page of instructions that lies beside the files of a deployment."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from pipelines.serving.deploy import model_server, nginx, rights
from pipelines.serving.deploy.images import Images
from pipelines.serving.deploy.subject import Subject

FILE = "README.md"
_EXAMPLES = {
    "image_bytes": '{"instances": [{"b64": "\'"$(base64 -w0 photo.jpg)"\'"}]}',
    "sound_bytes": '{"instances": [{"b64": "\'"$(base64 -w0 sound.wav)"\'"}]}',
    "text": '{"instances": ["a text"]}',
    "series": '{"instances": [[[0.1], [0.2]]]}',
}


def _example(subject: Subject) -> str:
    """The body of a request; of a table a row with a value for each column."""
    if not subject.columns:
        return _EXAMPLES[subject.input]
    row = {
        name: "a" if dtype == "string" else 1 for name, dtype in subject.columns.items()
    }
    return json.dumps({"instances": [row]})


def text(subject: Subject, targets: Sequence[str], *, images: Images) -> str:
    """The page that lies beside the files of these targets."""
    parts = [_head(subject), _version_warning(subject, images.serving_version)]
    parts += [_PARTS[target](subject, images) for target in targets]
    return "\n".join(part for part in parts if part)


def _head(subject: Subject) -> str:
    which = (
        "the newest version, also when it comes later"
        if subject.version is None
        else f"version {subject.version} and no other"
    )
    return f"""\
# {subject.name} on TensorFlow Serving

Written by `zoo deploy`. It serves {which}.

These files were checked by programs that read them, not by running Docker or a cluster.
TensorFlow Serving has no authentication,
no limit of bodies and no TLS: keep its ports {model_server.GRPC_PORT} and\
 {model_server.REST_PORT} inside, behind a proxy.

`zoo serve --model-config FILE` reads the same `models.config`, with its `base_path`
on your machine.

Containers run without root's rights, without capabilities, and with a file system that
they cannot write but for `{rights.SCRATCH}`. Their memory is bounded at\
 {subject.limit_mib} MiB, which the largest images that
this artifact reads fit into; export with a smaller `export.maximum_megapixels` to need
less. Tags are pinned; to pin what is behind one, look its digest up
(`docker buildx imagetools inspect nginx:TAG`) and give it: `--digest proxy=sha256:...`.
"""


def _version_warning(subject: Subject, serving_version: str) -> str:
    if not is_older(serving_version, subject.tensorflow):
        return ""
    return f"""\
**Check this first.** The graph was written by TensorFlow {subject.tensorflow}, and the
image has TensorFlow Serving {serving_version}, which is older: it may refuse the graph.
"""


def is_older(serving_version: str, tensorflow: str) -> bool:
    """True if a server is of an earlier minor version than what wrote the graph."""
    return bool(tensorflow) and _minor(serving_version) < _minor(tensorflow)


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _docker(subject: Subject, images: Images) -> str:
    return f"""\
## Docker Compose

The proxy lets nobody in yet. Give yourself a token, or a name and password
(`htpasswd`, of apache2-utils), then start. Both containers run as user\
 {rights.user_on_host()}, who must be able to
read the versions and owns the two files of secrets, which are closed to others:

```console
cd docker
token=$(openssl rand -hex 32)
echo "\\"~^Bearer $token\\$\\" off;" >> proxy/{nginx.TOKENS}
htpasswd -nB NAME >> proxy/{nginx.PASSWORDS}
docker compose up --detach --wait
curl -H "Authorization: Bearer $token" -d '{_example(subject)}' \\
  localhost:8501/v1/models/{subject.name}:predict
```

With an NVIDIA GPU: `docker compose -f compose.yaml -f compose.gpu.yaml up`. The proxy
listens to this machine only; before you change `ports`, give it a certificate, because
tokens and passwords travel as they are. It reads them at its start: `docker compose
restart proxy`. Bodies may have {nginx.MAX_BODY_MIB} MB, and gzip is refused.
"""


def _kubernetes(subject: Subject, images: Images) -> str:
    return f"""\
## Kubernetes

Versions lie on a volume that many machines can read (`ReadWriteMany`; say in
`volume-claim.yaml` which class of storage that is). Copy them there, then start:

```console
kubectl apply -f kubernetes/volume-claim.yaml
{_copying(subject, images)}
kubectl apply -f kubernetes/
kubectl rollout status deployment/{subject.name}
```

A pod is ready when `{model_server.ready_path(subject.name)}` answers 200. When it ends,
it serves for {model_server.DRAIN_SECONDS} more seconds, until balancers have heard.
The service is for the inside of the cluster; what is in front of it (an ingress, a
gateway) has to authenticate and to bound bodies. `docker/proxy/nginx.conf`, which
`--target docker` writes, shows how with nginx. `network-policy.yaml` lets in pods of
the same namespace alone, and the server out to nobody: name there whoever else has to
ask, such as a gateway or a Prometheus of another namespace.
"""


def _kserve(subject: Subject, images: Images) -> str:
    return f"""\
## KServe

An alternative to the files for Kubernetes, with the same names. `storageUri` can be any
that KServe knows, of a folder that has the numbered folders of versions in it.

```console
kubectl apply -f kserve/volume-claim.yaml
{_copying(subject, images)}
kubectl apply -f kserve/
kubectl get inferenceservice {subject.name}
```

The address is `/v1/models/{subject.name}:predict`. The runtime serves the newest
version in the folder, so copy what you want to serve. `network-policy.yaml` lets in
pods of the same namespace and the usual gateways, and the server out to nobody: allow
what a `storageUri` outside of the cluster, or a mesh, has to reach. The image is the
runtime's; `--digest` does not change it.
"""


def _copying(subject: Subject, images: Images) -> str:
    """A pod that does nothing but hold the volume open for `kubectl cp`."""
    version = subject.version or subject.newest
    source = shlex.quote(str(subject.base / str(version)))
    folder = f"/volume/{subject.name}"
    claim = {"claimName": f"{subject.name}-models"}
    overrides = json.dumps(
        {
            "spec": {
                **rights.of_pod(),
                "containers": [
                    {
                        "name": "copy",
                        "image": images.copy,
                        "command": ["sleep", "3600"],
                        "securityContext": rights.of_container(),
                        "volumeMounts": [{"name": "models", "mountPath": "/volume"}],
                    }
                ],
                "volumes": [{"name": "models", "persistentVolumeClaim": claim}],
            }
        }
    )
    return f"""\
kubectl run copy --image={images.copy} --overrides='{overrides}'
kubectl wait --for=condition=Ready pod/copy
kubectl exec copy -- mkdir -p {folder}
kubectl cp {source} copy:{folder}/.new
kubectl exec copy -- mv {folder}/.new {folder}/{version}
kubectl delete pod copy"""


_PARTS = {"docker": _docker, "kubernetes": _kubernetes, "kserve": _kserve}
