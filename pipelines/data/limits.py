"""What is read at most. Imports nothing."""

# A header that claims more is a mistake or an attack: decoded, 50 million pixels are
# 150 MB.
MAXIMUM_MEGAPIXELS = 50.0
