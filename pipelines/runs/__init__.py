"""The run folder: its lock, its files, and what a run resumes from."""
