"""The command line, `p2`: one module a command or family of commands; `main.py` gathers them."""
