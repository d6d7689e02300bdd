"""A scene to a picture: rays, hits, materials, lights."""
