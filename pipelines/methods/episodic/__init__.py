"""The last blocks of a network, trained in episodes: small tasks of a few classes."""
