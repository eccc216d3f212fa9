"""What people and programs see: the command line, metrics, logs. A surface parses, calls `wiring`, and shows."""
