"""The tests of queuekit. `bin/test` runs them; helpers are imported as `tests.servers`."""
