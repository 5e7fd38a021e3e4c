"""Digits as files have the pixels of the table."""

import numpy as np
from PIL import Image

from pipelines.data.demo.photos import PHOTOS
from pipelines.data.readers import builtin


def test_every_digit_is_a_picture(tmp_path):
    files = tuple(file.obtain() for file in PHOTOS.files)
    counts = PHOTOS.write(files, tmp_path, 3)
    assert counts == {str(digit): 3 for digit in range(10)}
    table = builtin.read("mnist_5k")
    for path in sorted(tmp_path.glob("*/*.png")):
        row = int(path.stem)
        assert table.labels[row] == int(path.parent.name)
        pixels = np.asarray(Image.open(path))
        assert (pixels == table.inputs.pixels[row, :, :, 0]).all()
