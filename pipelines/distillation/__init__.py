"""A student beside its teacher, and beside itself without one."""
