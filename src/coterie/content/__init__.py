"""What items are about, as numbers and in words: features from genres, tags, the tag genome and titles."""
