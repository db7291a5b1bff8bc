"""The same promises on every database: what a job's life looks like from the tables' side."""
