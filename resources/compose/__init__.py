"""Compose files: read as Docker Compose reads them, then mapped to resources. In the order of one file:

yaml.py         text -> nodes: plain values that know their place
variables.py    ${NAME:-default} within a text;  dotenv.py the files that give the values
schema.py       every field there is, and its shape;  shapes.py, short.py what the shapes are
files.py        one file: its documents in long form, its includes and extends
project.py      all files of a project, merged, named and checked: what `load_project` returns
"""
