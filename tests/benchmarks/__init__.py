"""The speed goals, one module each: the plugin against a reference in the same run."""
