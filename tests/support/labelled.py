"""Small data with labels of any kind."""

import numpy as np


def in_table(folder, labels, header="text,label"):
    """The reference of a table of texts with these labels."""
    path = folder / "table.csv"
    rows = "\n".join(f'text {i},"{label}"' for i, label in enumerate(labels))
    path.write_text(f"{header}\n{rows}\n")
    return f"csv:{path}"


def in_arrays(folder, y, **more):
    """The reference of arrays of tiny images with these labels."""
    path = folder / "arrays.npz"
    x = np.random.default_rng(0).integers(0, 256, (len(y), 8, 8), np.uint8)
    np.savez(path, x=x, y=y, **more)
    return f"npz:{path}"
