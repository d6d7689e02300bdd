"""The zero set as triangles."""
