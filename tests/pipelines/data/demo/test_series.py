"""Series of a watch, as arrays."""

import numpy as np

from pipelines.data.demo.series import SERIES


def test_series_have_steps_and_channels(tmp_path):
    files = tuple(file.obtain() for file in SERIES.files)
    counts = SERIES.write(files, tmp_path, 20)
    assert counts == dict.fromkeys(["Badminton", "Running", "Standing", "Walking"], 20)
    with np.load(tmp_path / "series.npz", allow_pickle=False) as arrays:
        x, y = arrays["x"], arrays["y"]
    assert x.shape == (80, 100, 6)
    assert x.dtype == np.float32
    assert np.isfinite(x).all()
    assert x[y == "Standing"].std() < 0.3 * x[y == "Running"].std()
    # The first line of the file: one channel, in order of time.
    first = files[0].read_text().split("@data", 1)[1].strip().split("\\n", 1)[0]
    np.testing.assert_allclose(x[0, :, 0], np.fromstring(first[1:], sep=","), rtol=1e-6)
