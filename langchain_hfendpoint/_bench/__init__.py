"""What `hfendpoint bench` does: load an endpoint in steps, and tell where it saturates."""
