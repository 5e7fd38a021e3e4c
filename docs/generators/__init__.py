"""The generated part of the reference: made of the code while the site is built."""
