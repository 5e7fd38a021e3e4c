"""Which backbones are compared, and how they are ordered."""
