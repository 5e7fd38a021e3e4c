"""The numbers of the format fit each other."""

from zoo.sounds import wave_format
from zoo.spec import SOUND_RATES_HZ


def test_sample_kinds_are_whole_bytes_and_distinct():
    kinds = wave_format.SAMPLE_KINDS
    assert len(set(kinds)) == len(kinds)
    assert all(bits % 8 == 0 for _, bits in kinds)


def test_rates_of_networks_can_be_read():
    low, high = wave_format.LOWEST_RATE_HZ, wave_format.HIGHEST_RATE_HZ
    assert all(low <= rate <= high for rate in SOUND_RATES_HZ)
