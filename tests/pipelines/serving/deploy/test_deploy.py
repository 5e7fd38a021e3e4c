"""The files of `zoo deploy`: read by what reads such files, and held to each other."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from pipelines.cli import main
from pipelines.commands import deploy
from pipelines.errors import ConfigError
from pipelines.serving.deploy import images, nginx, subject
from pipelines.serving.deploy.readme import is_older
from pipelines.serving.deploy.targets import TARGETS
from pipelines.serving.server import text_files
from pipelines.serving.server.models.model_config import VersionPolicy

NAME = "tiny-digits"
READY = f"/v1/models/{NAME}/metadata"


@pytest.fixture(scope="module")
def base(finished_run) -> Path:
    return finished_run / "artifact"


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory) -> Path:
    """The files of all targets for the newest version."""
    into = tmp_path_factory.mktemp("deployed") / "files"
    assert main(["deploy", str(base), "--to", str(into), "--name", NAME]) == 0
    return into


@pytest.fixture(scope="module")
def documents(folder) -> dict[str, dict]:
    """Every YAML file, parsed, by its path."""
    paths = sorted(folder.rglob("*.yaml"))
    return {
        path.relative_to(folder).as_posix(): yaml.safe_load(path.read_text())
        for path in paths
    }


def test_every_target_has_exactly_its_files(folder):
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {
        "README.md",
        "docker/compose.yaml",
        "docker/compose.gpu.yaml",
        "docker/config/models.config",
        "docker/config/batching_parameters.txt",
        "docker/config/batching_parameters_gpu.txt",
        "docker/config/monitoring.config",
        "docker/proxy/nginx.conf",
        "docker/proxy/tokens.map",
        "docker/proxy/users.htpasswd",
        "kubernetes/config-map.yaml",
        "kubernetes/volume-claim.yaml",
        "kubernetes/deployment.yaml",
        "kubernetes/service.yaml",
        "kubernetes/autoscaler.yaml",
        "kubernetes/disruption-budget.yaml",
        "kubernetes/network-policy.yaml",
        "kserve/config-map.yaml",
        "kserve/volume-claim.yaml",
        "kserve/inference-service.yaml",
        "kserve/network-policy.yaml",
    }


def flags_of(command: list[str]) -> dict[str, str]:
    split = (flag.removeprefix("--").partition("=") for flag in command)
    return {name: value for name, _, value in split}


def test_compose_mounts_files_of_the_command(folder, documents, base):
    compose = documents["docker/compose.yaml"]["services"]
    serving, proxy = compose["serving"], compose["proxy"]
    given = flags_of(serving["command"])
    mounts = {one["target"]: one for one in serving["volumes"]}
    assert all(one["read_only"] for one in [*mounts.values(), *proxy["volumes"]])
    text = (folder / "docker/config/models.config").read_text()
    (model,) = text_files.parse_models(text)
    assert model.name == NAME
    assert mounts[str(model.base_path)]["source"] == str(base)
    assert mounts["/config"]["source"] == "./config"
    for flag in ("model_config_file", "batching_parameters_file"):
        assert (folder / f"docker{given[flag]}").is_file()
    assert (folder / f"docker{given['monitoring_config_file']}").is_file()
    assert "enable_batching" in given
    assert serving["expose"] == [given["port"], given["rest_api_port"]]
    assert "ports" not in serving  # only the proxy is reached from outside
    assert proxy["ports"] == ["127.0.0.1:8501:8080"]
    for one in proxy["volumes"]:
        assert (folder / "docker" / one["source"]).is_file()


def test_gpu_file_changes_existing_services_only(folder, documents):
    changed = documents["docker/compose.gpu.yaml"]["services"]
    assert set(changed) < set(documents["docker/compose.yaml"]["services"])
    serving = changed["serving"]
    assert serving["image"] == f"tensorflow/serving:{images.SERVING_VERSION}-gpu"
    (device,) = serving["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    path = flags_of(serving["command"])["batching_parameters_file"]
    batching = text_files.parse_batching((folder / f"docker{path}").read_text())
    assert batching.allowed_batch_sizes[-1] == batching.max_batch_size == 64


def test_images_are_pinned_in_every_file(documents):
    found = []
    for text in (json.dumps(one) for one in documents.values()):
        found += [part.split('"')[0] for part in text.split('"image": "')[1:]]
    assert len(found) == 4
    assert all(image.partition(":")[2][:1].isdigit() for image in found)


def test_kubernetes_probes_exist_on_the_server(documents):
    deployment = documents["kubernetes/deployment.yaml"]
    pod = deployment["spec"]["template"]["spec"]
    (serving,) = pod["containers"]
    given = flags_of(serving["args"])
    ports = {one["name"]: one["containerPort"] for one in serving["ports"]}
    assert ports == {"grpc": int(given["port"]), "rest": int(given["rest_api_port"])}
    for probe in ("startupProbe", "readinessProbe"):
        assert serving[probe]["httpGet"] == {"path": READY, "port": "rest"}
    assert serving["livenessProbe"]["tcpSocket"] == {"port": "grpc"}
    service = documents["kubernetes/service.yaml"]["spec"]
    assert {(one["port"], one["targetPort"]) for one in service["ports"]} == {
        (8500, "grpc"),
        (8501, "rest"),
    }
    drain = serving["lifecycle"]["preStop"]["exec"]["command"]
    assert drain[0] == "sleep"
    longest = int(drain[1]) + int(given["rest_api_timeout_in_ms"]) // 1000
    assert pod["terminationGracePeriodSeconds"] >= longest
    startup = serving["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 300


def test_kubernetes_objects_select_and_name_each_other(documents):
    deployment = documents["kubernetes/deployment.yaml"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert documents["kubernetes/service.yaml"]["spec"]["selector"] == labels
    budget = documents["kubernetes/disruption-budget.yaml"]["spec"]
    assert budget["selector"]["matchLabels"] == labels
    scaler = documents["kubernetes/autoscaler.yaml"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"] == NAME
    assert scaler["minReplicas"] > budget["minAvailable"]
    assert "replicas" not in deployment["spec"]
    volumes = {
        one["name"]: one for one in deployment["spec"]["template"]["spec"]["volumes"]
    }
    claim, config = (
        documents[f"kubernetes/{name}.yaml"]["metadata"]["name"]
        for name in ("volume-claim", "config-map")
    )
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == claim
    assert volumes["config"]["configMap"]["name"] == config


def test_config_map_holds_files_of_compose(folder, documents):
    data = documents["kubernetes/config-map.yaml"]["data"]
    assert set(data) == {
        "models.config",
        "batching_parameters.txt",
        "monitoring.config",
    }
    for name, text in data.items():
        assert text == (folder / "docker/config" / name).read_text()
    (model,) = text_files.parse_models(data["models.config"])
    deployment = documents["kubernetes/deployment.yaml"]
    (serving,) = deployment["spec"]["template"]["spec"]["containers"]
    mounts = {one["mountPath"]: one for one in serving["volumeMounts"]}
    assert mounts[str(model.base_path)]["subPath"] == NAME


def test_memory_is_for_two_versions(documents, base):
    deployment = documents["kubernetes/deployment.yaml"]
    (serving,) = deployment["spec"]["template"]["spec"]["containers"]
    asked = serving["resources"]
    request, limit = (
        int(asked[kind]["memory"].removesuffix("Mi")) for kind in ("requests", "limits")
    )
    size = sum(p.stat().st_size for p in (base / "1").rglob("*") if p.is_file())
    assert limit > request >= 2 * size / 2**20 + 1024
    # Eight of the largest images at once: 50 megapixels of four channels, and what
    # composing them takes.
    assert limit - request >= 8 * 50e6 * 12 / 2**20
    assert "cpu" in asked["requests"]
    assert "cpu" not in asked["limits"]


def test_kserve_uses_same_name_and_claim(documents):
    service = documents["kserve/inference-service.yaml"]
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    assert service["metadata"]["name"] == NAME
    predictor = service["spec"]["predictor"]
    model = predictor["model"]
    assert model["modelFormat"] == {"name": "tensorflow"}
    assert model["runtimeVersion"] == images.SERVING_VERSION
    policy = documents["kserve/network-policy.yaml"]["spec"]
    assert policy["podSelector"]["matchLabels"] == {
        "serving.kserve.io/inferenceservice": NAME
    }
    claim = documents["kserve/volume-claim.yaml"]
    assert claim == documents["kubernetes/volume-claim.yaml"]
    assert model["storageUri"] == f"pvc://{claim['metadata']['name']}/{NAME}"
    config = documents["kserve/config-map.yaml"]
    assert predictor["volumes"][0]["configMap"]["name"] == config["metadata"]["name"]
    path = Path(flags_of(model["args"])["batching_parameters_file"])
    assert model["volumeMounts"][0]["mountPath"] == str(path.parent)
    assert text_files.parse_batching(config["data"][path.name]).max_batch_size == 32


def test_version_is_served_alone_and_base_by_newest(base, tmp_path):
    policies = {}
    for given in (base, base / "1"):
        into = tmp_path / given.name
        assert main(["deploy", str(given), "--to", str(into), "--name", NAME]) == 0
        text = (into / "docker/config/models.config").read_text()
        policies[given.name] = text_files.parse_models(text)[0].policy
    assert policies == {
        "artifact": VersionPolicy("latest", count=1),
        "1": VersionPolicy("specific", versions=frozenset({1})),
    }


def test_json_lists_the_files_of_chosen_targets(base, tmp_path, capsys):
    command = ["deploy", str(base), "--to", str(tmp_path / "d"), "--json"]
    assert main([*command, "--target", "docker"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["version"], found["warning"]) == ("run", None, None)
    assert all(Path(path).is_file() for path in found["files"])
    assert {path.name for path in (tmp_path / "d").iterdir()} == {"README.md", "docker"}


def containers_of(documents) -> dict[str, dict]:
    """Every container of every file for a cluster, and of the commands beside them."""
    found = {}
    for path, document in documents.items():
        for where, one in _everything(document, path):
            # A container, or KServe's, has an image or what becomes one.
            if {"image", "modelFormat"} & set(one) and not path.startswith("docker"):
                found[where] = one
    return found


def _everything(value, where):
    if isinstance(value, dict):
        yield where, value
        for key, one in value.items():
            yield from _everything(one, f"{where}/{key}")
    if isinstance(value, list):
        for i, one in enumerate(value):
            yield from _everything(one, f"{where}/{i}")


@pytest.fixture(scope="module")
def with_commands(folder, documents) -> dict[str, dict]:
    """The files, and the pods that the README makes by a command."""
    text = (folder / "README.md").read_text()
    pods = re.findall(r"--overrides='(.+?)'", text)
    assert len(pods) == 2
    return {**documents, **{f"README {i}": json.loads(p) for i, p in enumerate(pods)}}


def test_cluster_containers_have_least_rights(with_commands):
    containers = containers_of(with_commands)
    assert len(containers) == 4
    for where, one in containers.items():
        rights = one["securityContext"]
        assert rights["runAsNonRoot"] is True, where
        assert rights["readOnlyRootFilesystem"] is True, where
        assert rights["allowPrivilegeEscalation"] is False, where
        assert rights["privileged"] is False, where
        assert rights["capabilities"] == {"drop": ["ALL"]}, where
        is_server = one.get("name") != "copy"
        for mount in one["volumeMounts"]:
            is_scratch = mount["mountPath"] == "/tmp"
            assert mount.get("readOnly", False) is (is_server and not is_scratch), where
        if is_server:
            assert "/tmp" in {mount["mountPath"] for mount in one["volumeMounts"]}
            assert set(one["resources"]["limits"]) == {"memory"}
    pods = [
        (where, one)
        for path, document in with_commands.items()
        for where, one in _everything(document, path)
        if "containers" in one or "model" in one
    ]
    assert len(pods) == 4
    for where, pod in pods:
        assert pod["automountServiceAccountToken"] is False, where
        assert pod["enableServiceLinks"] is False, where
        rights = pod["securityContext"]
        assert rights["runAsNonRoot"] is True, where
        assert rights["runAsUser"] == rights["runAsGroup"] == 1000, where
        assert rights["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), where
        for volume in pod["volumes"]:
            if "emptyDir" in volume:
                assert volume["emptyDir"]["sizeLimit"].endswith("Mi"), where
            assert "hostPath" not in volume, where


def test_cluster_targets_have_network_policies(documents):
    for target, ports in (("kubernetes", {8500, 8501}), ("kserve", set())):
        policy = documents[f"{target}/network-policy.yaml"]["spec"]
        assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
        assert policy["egress"] == []
        (rule,) = policy["ingress"]
        assert rule["from"][0] == {"podSelector": {}}
        assert {one["port"] for one in rule.get("ports", ())} == ports
    pods = documents["kubernetes/deployment.yaml"]["spec"]["template"]["metadata"]
    policy = documents["kubernetes/network-policy.yaml"]["spec"]
    assert policy["podSelector"]["matchLabels"] == pods["labels"]


def test_compose_services_have_least_rights(documents):
    compose = documents["docker/compose.yaml"]
    assert set(compose["services"]) == {"serving", "proxy"}
    for name, one in compose["services"].items():
        user, group = one["user"].split(":")
        assert 0 not in (int(user), int(group)), name
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert all(one[limit] for limit in ("mem_limit", "pids_limit")), name
        assert not {"cap_add", "privileged", "network_mode", "pid", "ipc"} & set(one), (
            name
        )
        (scratch,) = one["tmpfs"]
        assert re.match(r"/tmp:.*\bnoexec\b.*\bsize=\d+m", scratch), name
        assert all(volume["read_only"] for volume in one["volumes"]), name
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ())), name
    assert compose["networks"]["inside"] == {"internal": True}
    assert compose["services"]["serving"]["networks"] == ["inside"]
    changed = documents["docker/compose.gpu.yaml"]["services"]["serving"]
    assert set(changed) == {"image", "command", "environment", "deploy"}


def test_the_proxy_writes_where_it_may(folder):
    text = (folder / "docker/proxy/nginx.conf").read_text()
    written = re.findall(r"^\s*(pid|\w+_temp_path) (\S+);", text, re.M)
    assert len(written) == 6
    assert all(path.startswith("/tmp/") for _, path in written)


def test_secrets_are_for_whoever_runs_the_proxy(base, tmp_path):
    command = ["deploy", str(base), "--to", str(tmp_path), "--target", "docker"]
    assert main(command) == 0
    compose = yaml.safe_load((tmp_path / "docker/compose.yaml").read_text())
    (user,) = {one["user"].split(":")[0] for one in compose["services"].values()}
    proxy = tmp_path / "docker/proxy"
    secrets = [proxy / nginx.TOKENS, proxy / nginx.PASSWORDS]
    for path in secrets:
        facts = path.stat()
        assert (facts.st_mode & 0o777, str(facts.st_uid)) == (0o600, user)
        path.chmod(0o644)
    texts = [path.read_text() for path in secrets]
    assert main([*command, "--overwrite"]) == 0
    assert [path.stat().st_mode & 0o777 for path in secrets] == [0o600, 0o600]
    assert [path.read_text() for path in secrets] == texts


def test_images_can_be_pinned_by_digest(base, tmp_path):
    digests = {name: f"sha256:{str(i) * 64}" for i, name in enumerate(images.NAMES)}
    flags_ = [f"--digest={name}={digest}" for name, digest in digests.items()]
    command = ["deploy", str(base), "--to", str(tmp_path), "--name", NAME]
    assert main([*command, *flags_]) == 0
    found = {
        image
        for path in tmp_path.rglob("*.yaml")
        for _, one in _everything(yaml.safe_load(path.read_text()), "")
        if isinstance(image := one.get("image"), str)
    }
    found |= set(re.findall(r"--image=(\S+)", (tmp_path / "README.md").read_text()))
    assert {image.partition("@")[2] for image in found} == set(digests.values())
    assert all(re.search(r":\d+\.\d+\.\d+(-gpu)?@", image) for image in found)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--target", "docker,kubernets"], 2, "allowed: .* Did you mean kubernetes"),
        (["--target", ""], 2, "allowed: docker, kubernetes, kserve"),
        (["--name", "My_Photos"], 2, "Choose another with --name my-photos"),
        (["--name", "a/b", "--target", "docker"], 2, "--name a-b"),
        (["--serving-version", "latest"], 2, "expected a release"),
        (["--digest", "proxy=latest"], 2, "expected NAME=sha256"),
        (["--digest", f"nginx=sha256:{'0' * 64}"], 2, "serving-gpu, proxy, copy"),
        ([f"--digest=proxy=sha256:{'0' * 64}"] * 2, 2, "each of these names once"),
    ],
)
def test_undeployable_artifact_is_refused_before_writing(
    base, tmp_path, capsys, arguments, code, message
):
    into = tmp_path / "into"
    assert main(["deploy", str(base), "--to", str(into), *arguments]) == code
    assert re.search(message, capsys.readouterr().err)
    assert not into.exists()


def test_a_folder_that_is_no_artifact_is_refused(tmp_path, capsys):
    assert main(["deploy", str(tmp_path), "--to", str(tmp_path / "d")]) == 4
    assert "is not an artifact" in capsys.readouterr().err


def test_an_artifact_that_was_changed_is_refused(base, tmp_path, capsys):
    shutil.copytree(base, tmp_path / "m")
    (tmp_path / "m/1/saved_model.pb").write_bytes(b"other")
    assert main(["deploy", str(tmp_path / "m"), "--to", str(tmp_path / "d")]) == 4
    assert "is not what was published" in capsys.readouterr().err


def test_full_folder_is_refused_and_secrets_stay(base, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    command = ["deploy", str(base), "--to", str(tmp_path), "--target", "docker"]
    assert main(command) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert main([*command, "--overwrite"]) == 0
    tokens = tmp_path / "docker/proxy/tokens.map"
    tokens.write_text('"~^Bearer abc$" off;\n')
    (tmp_path / "docker/compose.yaml").write_text("old")
    assert main([*command, "--overwrite"]) == 0
    assert tokens.read_text() == '"~^Bearer abc$" off;\n'
    assert (tmp_path / "docker/compose.yaml").read_text() != "old"
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_server_older_than_graph_gives_warning(base, tmp_path, capsys):
    command = ["deploy", str(base), "--to", str(tmp_path / "d")]
    assert main([*command, "--serving-version", "2.9.1"]) == 0
    assert "is older and may refuse it" in capsys.readouterr().out
    assert "**Check this first.**" in (tmp_path / "d/README.md").read_text()
    compose = yaml.safe_load((tmp_path / "d/docker/compose.yaml").read_text())
    assert compose["services"]["serving"]["image"] == "tensorflow/serving:2.9.1"


@pytest.mark.parametrize(
    ("server", "graph", "expected"),
    [
        ("2.21.0", "2.21.3", False),
        ("2.9.0", "2.21.0", True),
        ("2.22.0", "2.21.0", False),
        ("2.21.0", "", False),
    ],
)
def test_versions_are_compared_as_numbers(server, graph, expected):
    assert is_older(server, graph) is expected


@pytest.mark.parametrize("name", ["a", "tiny-digits", "a" * 53])
def test_kubernetes_takes_names_that_are_labels(name):
    subject.require_label(name, "kubernetes")


@pytest.mark.parametrize("name", ["A", "a_b", "1a", "a-", "a" * 54, "a.b"])
def test_kubernetes_takes_no_other_names(name):
    with pytest.raises(ConfigError, match="Choose another with --name [a-z]"):
        subject.require_label(name, "kubernetes")


def test_model_named_off_keeps_passwords_on():
    text = nginx.configuration("off", upstream="serving:8501")
    assert 'default "model off";' in text
    assert "default off" not in text


def test_the_flag_knows_every_target():
    assert deploy.parse_targets(",".join(reversed(TARGETS))) == tuple(TARGETS)


def test_deploying_imports_no_tensorflow(base, tmp_path, fresh_process):
    code = (
        "import sys; from pipelines.cli import main;"
        "code = main(sys.argv[1:]); print('tensorflow' in sys.modules);"
        "sys.exit(code)"
    )
    ended = fresh_process(code, "deploy", str(base), "--to", str(tmp_path / "d"))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "False"


def test_dollar_in_path_is_escaped_for_compose(base, tmp_path):
    odd = tmp_path / "a$HOME" / "m"
    shutil.copytree(base, odd)
    into = tmp_path / "d"
    assert main(["deploy", str(odd), "--to", str(into), "--target", "docker"]) == 0
    compose = yaml.safe_load((into / "docker/compose.yaml").read_text())
    source = compose["services"]["serving"]["volumes"][0]["source"]
    assert source == str(odd).replace("$", "$$")


def test_the_script_of_readiness_is_bash(documents):
    compose = documents["docker/compose.yaml"]
    kind, shell, *script = compose["services"]["serving"]["healthcheck"]["test"]
    assert (kind, shell, script[0]) == ("CMD", "bash", "-c")
    assert "$$" in script[1]
    plain = script[1].replace("$$", "$")
    subprocess.run(["bash", "-n", "-c", plain], check=True)
    assert READY in plain
