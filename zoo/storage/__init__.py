"""The way of bytes onto this machine: fetching, archives, the store."""
