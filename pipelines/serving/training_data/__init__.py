"""What an artifact knows of the examples that it was trained on."""
