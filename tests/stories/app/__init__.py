"""What is copied into the folder of a story's application."""
