"""The distributions: what is in them, and that what was installed from them works."""
