"""What those who supply data get: the deliverer's kit, the description of the platforms' API, its conformance test."""
