"""What `hfendpoint doctor` examines: facts are gathered here and there, and judged in pure code."""
