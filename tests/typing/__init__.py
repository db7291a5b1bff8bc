"""Type checkers, given calls of jobs that are right and calls that are wrong."""
