"""The stages of a run, one file each: every one turns one value into the next."""
