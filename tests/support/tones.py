"""Short sounds for tests: tones with noise at 8 kHz, written as WAV files."""

import numpy as np

from pipelines.data.sounds.wave_file import wave_bytes

RATE_HZ = 8_000
CLASSES = {"high": 1_200, "low": 300}


def tone(hertz, *, rate_hz=RATE_HZ, seconds=0.3, seed=0):
    """Samples `[n]` of a tone, a little off its pitch, in noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(rate_hz * seconds)) / rate_hz
    wave = 0.5 * np.sin(2 * np.pi * hertz * rng.uniform(0.9, 1.1) * time)
    # As much noise in each band at every rate.
    return wave + rng.normal(0, 0.02 * (rate_hz / RATE_HZ) ** 0.5, len(time))


def write_tones(folder, *, each=12):
    """A class folder of files for each of `CLASSES`."""
    for number, (name, hertz) in enumerate(CLASSES.items()):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            seconds = 0.2 + 0.01 * (i % 10)
            samples = tone(hertz, seconds=seconds, seed=100 * number + i)
            path = folder / name / f"{i:02}.wav"
            path.write_bytes(wave_bytes(samples, RATE_HZ))
    return folder


def bad_sounds():
    """Files that are no sound, by a word of the reason that names each."""
    good = wave_bytes(tone(500), RATE_HZ)
    short = wave_bytes(np.zeros(1), RATE_HZ)
    nan = wave_bytes(np.full(3_000, np.nan), RATE_HZ, bits=32, floating=True)
    law = bytearray(good)
    law[20] = 7
    deep = bytearray(good)
    deep[34] = 12
    dumb = bytearray(good)
    dumb[22] = 0
    slow = bytearray(good)
    slow[24:28] = (100).to_bytes(4, "little")
    return {
        "no bytes": b"",
        "is cut short": good[: len(good) // 2],
        "1 sample at": short,
        "not a WAV file": b"this is no sound, it is only called so",
        "no format": good[:12] + good[36:],
        "no samples": good[:36],
        "NaN": nan,
        "FLAC": b"fLaC" + bytes(100),
        "MP3": b"ID3" + bytes(100),
        "Ogg": b"OggS" + bytes(100),
        "mu-law": bytes(law),
        "12 bits": bytes(deep),
        "0 channels": bytes(dumb),
        "100 samples a second": bytes(slow),
    }
