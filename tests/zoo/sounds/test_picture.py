"""A spectrogram as a picture: time to the right, high tones above, silence black."""

import numpy as np

from zoo.sounds.picture import SpectrogramPicture


def test_high_tone_at_the_end_is_top_right():
    bands = np.full((1, 30, 20), -80.0, "float32")
    bands[0, 25:, 15:] = 0.0
    picture = np.asarray(SpectrogramPicture(32)(bands))
    assert picture.shape == (1, 32, 32, 3)
    grey = picture[0, ..., 0]
    assert grey[:4, -4:].min() > 200.0
    assert grey[16:].max() == 0.0 == grey[:, :16].max()


def test_missing_steps_are_black():
    bands = np.zeros((1, 30, 20), "float32")
    bands[0, 20:] = np.nan
    grey = np.asarray(SpectrogramPicture(30)(bands))[0, ..., 0]
    assert np.isfinite(grey).all()
    assert grey[:, :18].min() == 255.0
    assert grey[:, 22:].max() == 0.0


def test_layer_is_made_again_by_its_config():
    layer = SpectrogramPicture(24)
    again = SpectrogramPicture.from_config(layer.get_config())
    assert again.compute_output_shape((None, 9, 5)) == (None, 24, 24, 3)
