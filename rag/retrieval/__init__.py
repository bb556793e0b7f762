"""From passages to ranked hits: embedding, Chroma, BM25, fusion, and the generations on disk."""
