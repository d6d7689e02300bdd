"""Pictures for people: files, turntables, slices, films of a training."""
