"""Where desired state comes from, and where status goes back to: a directory of files; later a cluster."""
