"""Overlays: the resolver against `kubectl kustomize`, and what it refuses; the editing of a kustomization."""
