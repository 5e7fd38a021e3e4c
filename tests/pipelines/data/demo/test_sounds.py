"""The sounds of the demo are sound, and unlike each other."""

from pipelines.data.demo.sounds import SOUNDS
from pipelines.data.sounds.inspect_sound import inspect_sound


def test_files_are_sounds_without_a_problem(tmp_path):
    counts = SOUNDS.write((), tmp_path, 3)
    files = sorted(tmp_path.glob("*/*.wav"))
    assert counts == {"bell": 3, "engine": 3, "rain": 3, "siren": 3}
    assert len({path.read_bytes() for path in files}) == 12
    for path in files:
        inspection = inspect_sound(path.read_bytes())
        assert (inspection.bad, inspection.odd) == ("", ())
        assert 450 <= inspection.milliseconds <= 1_000
