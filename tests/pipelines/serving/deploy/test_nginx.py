"""The proxy keeps its passwords, and writes where it may."""

import re

from pipelines.serving.deploy import nginx


def test_proxy_writes_where_it_may(folder):
    text = (folder / "docker/proxy/nginx.conf").read_text()
    written = re.findall(r"^\s*(pid|\w+_temp_path) (\S+);", text, re.M)
    assert len(written) == 6
    assert all(path.startswith("/tmp/") for _, path in written)


def test_model_named_off_keeps_passwords_on():
    text = nginx.configuration("off", upstream="serving:8501")
    assert 'default "model off";' in text
    assert "default off" not in text
