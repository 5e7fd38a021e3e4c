"""The choices that a run measures before its plan: backbone, and views at test time."""
