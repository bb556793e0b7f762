"""From a file to passages: readers, structure, sentence boundaries, splitting with offsets."""
