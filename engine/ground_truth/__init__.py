"""The surface that is to be learned: read, checked and mended, with an inside and an exact signed distance."""
