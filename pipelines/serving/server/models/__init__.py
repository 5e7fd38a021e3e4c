"""Models in the server: loaded, batched, warmed up and asked."""
