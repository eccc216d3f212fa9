"""The machine itself: files, directories and links."""
