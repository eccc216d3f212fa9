"""What the loop keeps, at rest: `engine/stores.py` on SQLite in `$PEGASUS2_HOME/p2.db`, and the rest of that directory."""
