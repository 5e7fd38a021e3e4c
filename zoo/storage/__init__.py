"""How bytes get here and stay: fetching, archives, the store."""
