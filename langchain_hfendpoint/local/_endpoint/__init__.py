"""The local endpoint server: the model and its queue, and the protocols it speaks."""
