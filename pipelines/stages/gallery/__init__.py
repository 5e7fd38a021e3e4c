"""The examples that the page of a run shows, as small files in its folder."""
