"""Compose files: read as Docker Compose reads them, then mapped to resources. In the order of one file:

parsing.py      text -> nodes.py: plain values that know their place;  scalars.py how unquoted ones are read
schema.py       every field there is, and its shape;  shapes.py what shapes do: long form, merging
short.py        short forms of single fields, with units.py (1g, 90s) and words.py (commands)
filling.py      variables and paths of one file;  variables.py ${NAME:-default};  dotenv.py env files
files.py        the documents of all files merged, includes and extends carried out;  standing.py defaults
whole.py        profiles, what is implied, names;  checking.py what contradicts itself
project.py      `load_project`, which calls all of these
mapping/        a project -> resources
"""
