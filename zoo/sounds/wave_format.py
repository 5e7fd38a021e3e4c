"""The numbers of the WAV format that the graph and the data check both read by."""

from __future__ import annotations

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
# The bits of a sample by the kind of number; a code for each pair, in this order.
SAMPLE_KINDS = ((PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64))
# A header has a handful of chunks; whoever writes thousands wants to keep us busy.
MOST_CHUNKS = 256
MOST_CHANNELS = 64
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 384_000
# Programs that write to a pipe do not know the size, and write one of this kind.
UNKNOWN_SIZE = 0x7FFFF000
# The window of a spectrogram at 8 kHz: a shorter sound has no spectrum.
SHORTEST_SECONDS = 0.032
