"""What `kubectl kustomize` has to be told of our kinds: a file of this content, listed under `configurations`.

`p2 build --configuration` prints it. Here it changes nothing, for all that it says is known; any other content is refused.
"""

from __future__ import annotations

CONFIGURATION = """\
# Tells Kustomize where resources of Pegasus2 name images and each other. List this file under "configurations".
# What stands in dependsOn can't be told: with namePrefix, nameSuffix or namespace use p2 build PATH | kubectl apply -f -
images:
- {kind: Container, path: spec/image}
- {kind: ContainerSet, path: spec/template/image}
nameReference:
- kind: Network
  fieldSpecs:
  - {kind: Container, path: spec/networks/name}
  - {kind: ContainerSet, path: spec/template/networks/name}
- kind: Volume
  fieldSpecs:
  - {kind: Container, path: spec/volumes/source}
  - {kind: ContainerSet, path: spec/template/volumes/source}
"""
