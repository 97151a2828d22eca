"""How Inference Endpoints are made and looked after, apart from the public names."""
