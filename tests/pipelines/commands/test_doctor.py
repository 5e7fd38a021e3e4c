import importlib.metadata
import json
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pipelines.cli import main
from pipelines.commands import doctor
from pipelines.commands.doctor import Examination, as_text

# In a new process, because what it takes away would be missed by other tests.
WITHOUT_WEIGHTS_AND_ENGINE = (
    "import os, sys, zoo\n"
    "os.environ['KERAS_BACKEND'] = 'jax'\n"
    "for name in zoo.list_backbones(pretrained=True):\n"
    "    zoo.unregister(name)\n"
    "from pipelines.cli import main\n"
    "sys.exit(main(['doctor', '--json']))\n"
)


def test_it_finds_what_this_machine_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = doctor.examine()
    assert {"python", "zootune", "keras"} <= set(found.versions)
    assert any(device.startswith("CPU") for device in found.devices)
    assert found.writable[str(tmp_path)] is True
    assert found.free_bytes > 0
    assert "efficientnet_lite0" in found.weights_at_hand
    assert not any("cannot be written" in sentence for sentence in found.fixes)
    assert list(tmp_path.iterdir()) == []


def test_doctor_package_too_old_needs_fix(monkeypatch):
    """S28: an older Keras runs code of model files."""
    known = importlib.metadata.version
    older = {"keras": "3.14.1", "pillow": "12.3.0", "starlette": "0.46"}

    def version(name: str) -> str:
        if name == "mlxtend":
            raise importlib.metadata.PackageNotFoundError(name)
        return older.get(name) or known(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    fixes = doctor.examine().fixes
    assert (
        "keras >=3.15.1 is needed, and 3.14.1 is installed: pip install"
        " 'keras>=3.15.1'." in fixes
    )
    assert any(sentence.startswith("pillow >=13.0.0 is") for sentence in fixes)
    # What extras bring is named if it is there, once, and is not missed if not.
    starlette = [fix for fix in fixes if fix.startswith("starlette ")]
    assert starlette == [
        "starlette >=1.0.1 is needed, and 0.46 is installed: pip install"
        " 'starlette>=1.0.1'."
    ]
    assert not any(sentence.startswith("mlxtend") for sentence in fixes)
    monkeypatch.undo()
    assert not any("is needed" in sentence for sentence in doctor.examine().fixes)


def test_every_device_says_which_precisions_it_supports():
    devices = doctor.examine().devices
    assert devices
    assert all("float32" in device for device in devices)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a /proc")
def test_doctor_unwritable_folder_needs_fix(monkeypatch):
    monkeypatch.chdir("/proc")
    found = doctor.examine()
    assert found.writable["/proc"] is False
    assert "/proc cannot be written to; choose a config.workdir elsewhere" in " ".join(
        found.fixes
    )
    assert any("GB are free in /proc" in sentence for sentence in found.fixes)


def test_examine_missing_weights_and_engine_are_fixes(fresh_process):
    ended = fresh_process(WITHOUT_WEIGHTS_AND_ENGINE)
    assert ended.returncode == 0
    assert ended.stderr == ""
    values = json.loads(ended.stdout)
    assert values["weights_at_hand"] == []
    assert values["devices"] == []
    fixes = " ".join(values["fixes"])
    assert "pip install 'zootune[quickstart]'" in fixes
    assert "KERAS_BACKEND is 'jax'" in fixes


def test_doctor_as_json_is_one_object(fresh_process):
    code = "from pipelines.cli import main; main()"
    ended = fresh_process(code, "doctor", "--json", warm=True)
    values = json.loads(ended.stdout)
    assert set(values) == {
        "versions",
        "devices",
        "processor_features",
        "weights_at_hand",
        "writable",
        "free_bytes",
        "fixes",
    }


def test_doctor_prints_every_part(capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for word in ("python", "devices", "weights at hand", "free space", "writable"):
        assert word in printed


def test_as_text_puts_fixes_last_or_says_ready():
    found = Examination(
        versions={"python": "3.11"},
        devices=("CPU (float32)",),
        processor_features=(),
        weights_at_hand=(),
        writable={"/data": False},
        free_bytes=10**9,
        fixes=("Do this.", "Do that."),
    )
    lines = as_text(found).splitlines()
    assert lines[-2:] == ["To fix: Do this.", "To fix: Do that."]
    assert "writable         /data: no" in lines
    assert "weights at hand  none" in lines
    healthy = Examination(**{**vars(found), "fixes": (), "writable": {"/data": True}})
    assert as_text(healthy).splitlines()[-1] == "Ready."
    assert "writable         /data: yes" in as_text(healthy)


# Below these, there is a published way to attack what is installed.
FLOORS = {
    "pillow": "13.0.0",
    "starlette": "1.0.1",
    "urllib3": "2.7.0",
    "sentencepiece": "0.2.1",
}


def test_known_holes_are_below_what_is_asked_for():
    asked = [Requirement(line) for line in importlib.metadata.requires("zootune")]
    for name, floor in FLOORS.items():
        found = [one for one in asked if one.name == name]
        assert found
        for one in found:
            assert one.specifier.contains(floor), one
            assert not any(
                one.specifier.contains(older) for older in (f"{floor}.dev1", "0.1")
            ), one
    # It would bring an older Pillow.
    assert not [one for one in asked if one.name == "apache-beam"]
