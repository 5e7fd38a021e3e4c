"""The sections of a config, a dataclass each; annotations are not postponed."""
