"""How phases are trained: rates, receipts, callbacks."""
