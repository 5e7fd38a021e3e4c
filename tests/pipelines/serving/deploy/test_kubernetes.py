"""The objects for Kubernetes ask for what the server has, and fit each other."""

from tests.pipelines.serving.deploy.conftest import NAME, READY, flags_of


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
