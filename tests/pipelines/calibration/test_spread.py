import numpy as np

from pipelines.calibration.spread import Spread


def test_expected_errors_never_fall_below_the_floor():
    spread = Spread(
        mean=np.float32([1, 0]),
        scale=np.float32([2, 1]),
        kernel=np.float32([[1, 0], [0, 1]]),
        bias=np.float32([0.5, 0]),
        floor=np.float32([0.1, 0.2]),
    )
    expected = spread(np.float32([[3, 7], [-9, -9]]))
    np.testing.assert_allclose(expected, [[1.5, 7], [0.1, 0.2]], rtol=1e-6)
    assert spread.size_bytes == 4 * (2 + 2 + 4 + 2 + 2)
