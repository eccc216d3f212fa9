"""Containers, networks and volumes of a Docker engine."""
