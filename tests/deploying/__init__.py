"""What contrib/ has for running queuekit in production: that it is valid, and does what it says."""
