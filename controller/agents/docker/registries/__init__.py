"""Registries of images: what they have now, who we are to them, and images that come by way of a mirror.

`registries.py` is what the rest asks, over `Engine.registries`; `mirrors.py` pulls. `registry.py` is one of them, called by
`http.py` and spared by `limits.py`; `credentials.py` says who we are to it, and `settings.py` what agents/docker.yaml says.
"""
