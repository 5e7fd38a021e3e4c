"""The files of docs/launch: what they start is what the product understands."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from pipelines.config.flags import parse
from pipelines.training.distributed.cluster import cluster_of

FOLDER = Path(__file__).parents[1] / "docs" / "launch"
# Says how it was called in place of training, and ends with what it is told to.
RECORDER = """#!/bin/bash
echo "$TF_CONFIG" >> "$SAID/$$.config"
printf '%s\\n' "$@" > "$SAID/$$.flags"
[[ "$TF_CONFIG" == *'"index": 1'* ]] || exit 0
code=$(head -n 1 "$SAID/codes"); sed -i 1d "$SAID/codes"; exit "${code:-0}"
"""
# Runs here what it would run there.
SSH = '#!/bin/bash\nexec bash -c "${@: -1}"\n'


@pytest.fixture
def recorded(tmp_path):
    """Runs a command with a recorder for `zoo`: gives its code, configs and flags."""
    programs, said = tmp_path / "bin", tmp_path / "said"
    for folder in (programs, said):
        folder.mkdir()
    for name, text in (("zoo", RECORDER), ("ssh", SSH), ("gcloud", "#!/bin/sh\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)

    def run(command: list[str], codes: tuple[int, ...] = (), **environment: str):
        (said / "codes").write_text("".join(f"{code}\n" for code in codes))
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        given = {"PATH": path, "SAID": str(said), "PAUSE_SECONDS": "0", **environment}
        ended = subprocess.run(
            command, env={**os.environ, **given}, capture_output=True, check=False
        )
        configs = [path.read_text() for path in said.glob("*.config")]
        flags = [path.read_text().splitlines() for path in said.glob("*.flags")]
        return ended.returncode, configs, flags

    return run


def test_jobset_has_no_more_rights_than_training_needs():
    values = yaml.safe_load((FOLDER / "jobset.yaml").read_text())
    (job,) = values["spec"]["replicatedJobs"]
    pod = job["template"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    rights = container["securityContext"]
    assert rights["readOnlyRootFilesystem"] is True
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}
    mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
    assert mounts["/data"]["readOnly"] is True
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert environment["HOME"] == mounts["/tmp"]["mountPath"]
    volumes = {one["name"] for one in pod["volumes"]}
    assert {one["name"] for one in mounts.values()} == volumes


def test_a_jobset_gives_each_pod_its_place(recorded):
    values = yaml.safe_load((FOLDER / "jobset.yaml").read_text())
    assert values["kind"] == "JobSet"
    (job,) = values["spec"]["replicatedJobs"]
    spec = job["template"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    workers = int(environment["WORKERS"])
    assert spec["parallelism"] == spec["completions"] == workers == 2
    code, configs, flags = recorded(
        [*container["command"], *container["args"]],
        JOB_COMPLETION_INDEX="1",
        **environment,
    )
    assert code == 0
    found = cluster_of(configs[0])
    stem = f"{values['metadata']['name']}-{job['name']}-0"
    subdomain = values["spec"]["network"]["subdomain"]
    (port,) = (one["containerPort"] for one in container["ports"])
    assert found.addresses == tuple(
        f"{stem}-{index}.{subdomain}:{port}" for index in range(workers)
    )
    assert found.index == 1
    ((command, *given),) = flags
    assert command == "train"
    config = parse(given)
    assert config.distribution == "workers"
    assert config.batch_size % workers == 0


def test_machines_are_restarted_when_a_worker_is_lost(recorded):
    flags = ["--config.data=dir:my photos", "--config.workdir=run"]
    command = [str(FOLDER / "machines.sh"), *flags]
    code, configs, given = recorded(command, codes=(137, 5, 0), MACHINES="one two")
    assert code == 0
    clusters = [cluster_of(text) for text in configs]
    assert [one.index for one in clusters].count(1) == 3
    assert {one.addresses for one in clusters} == {("one:2222", "two:2222")}
    assert len(given) == 6
    for command, *rest in given:
        assert command == "train"
        assert rest == ["--config.distribution=workers", *flags]


def test_machines_are_not_started_again_after_another_error(recorded):
    command = [str(FOLDER / "machines.sh"), "--config.data=dir:photos"]
    code, configs, _ = recorded(command, codes=(2, 0), MACHINES="one two")
    assert code == 2
    assert len(configs) == 2


def test_launch_files_are_known_and_scripts_are_valid():
    names = sorted(path.name for path in FOLDER.iterdir())
    assert names == ["jobset.yaml", "machines.sh", "tpu_vm.sh"]
    for path in FOLDER.glob("*.sh"):
        checked = subprocess.run(["bash", "-n", str(path)], check=False)
        assert checked.returncode == 0, path
        assert os.access(path, os.X_OK)
