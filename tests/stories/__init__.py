"""Stories: a whole application, its real supervisor, real signals, on every database."""
