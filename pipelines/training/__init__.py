"""The training of phases: rates, freezing, callbacks, checkpoints, receipts."""
