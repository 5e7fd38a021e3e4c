"""Images are pinned by version, and by digest where one is given."""

import json
import re

import yaml

from pipelines.cli import main
from pipelines.serving.deploy import images
from tests.pipelines.serving.deploy.conftest import (
    NAME,
    every_mapping,
)


def test_images_are_pinned_in_every_file(documents):
    found = []
    for text in (json.dumps(one) for one in documents.values()):
        found += [part.split('"')[0] for part in text.split('"image": "')[1:]]
    assert len(found) == 4
    assert all(image.partition(":")[2][:1].isdigit() for image in found)


def test_images_can_be_pinned_by_digest(base, tmp_path):
    digests = {name: f"sha256:{str(i) * 64}" for i, name in enumerate(images.NAMES)}
    flags_ = [f"--digest={name}={digest}" for name, digest in digests.items()]
    command = ["deploy", str(base), "--to", str(tmp_path), "--name", NAME]
    assert main([*command, *flags_]) == 0
    found = {
        image
        for path in tmp_path.rglob("*.yaml")
        for _, one in every_mapping(yaml.safe_load(path.read_text()), "")
        if isinstance(image := one.get("image"), str)
    }
    found |= set(re.findall(r"--image=(\S+)", (tmp_path / "README.md").read_text()))
    assert {image.partition("@")[2] for image in found} == set(digests.values())
    assert all(re.search(r":\d+\.\d+\.\d+(-gpu)?@", image) for image in found)
