"""Containers have no rights beyond serving, in every target."""

import re

from tests.pipelines.serving.deploy.conftest import (
    containers_of,
    every_mapping,
)


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
        for where, one in every_mapping(document, path)
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
