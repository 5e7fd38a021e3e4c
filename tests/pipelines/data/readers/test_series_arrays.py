"""Series of several lengths become one array, with NaN at their ends."""

import numpy as np
import pytest

from pipelines.data.readers.series_arrays import padded
from pipelines.errors import DataError

LONG = np.arange(6.0).reshape(3, 2)


def test_padded_puts_nan_after_shorter_ones():
    values = padded([LONG, LONG[:1]], ["a", "b"]).values
    assert values.shape == (2, 3, 2)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values[0], LONG)
    np.testing.assert_array_equal(values[1, :1], LONG[:1])
    assert np.isnan(values[1, 1:]).all()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (LONG[:, :1], "b has 1 channels, and a has 2"),
        (LONG + np.inf, "b has a value that is infinite"),
        (LONG * 1e300, "b has a value that is infinite or too large"),
        (LONG * np.nan, "b has no value"),
    ],
)
def test_padded_names_what_fits_nowhere(bad, message):
    with pytest.raises(DataError, match=message):
        padded([LONG, bad], ["a", "b"])
