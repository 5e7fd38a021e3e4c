"""Files for the real TensorFlow Serving, made of what an artifact says of itself."""
