"""Sounds: WAV files decoded, resampled and read as mel bands, all in the graph."""
