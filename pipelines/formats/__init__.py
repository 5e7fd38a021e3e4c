"""An artifact in other formats, each compared with it before it is published."""
