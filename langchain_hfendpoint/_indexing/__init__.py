"""How documents become stored vectors: pure planning, and thin shells that overlap the stages."""
