"""The commands of `zoo`, one file each: its flags, and what it prints."""
