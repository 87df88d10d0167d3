{{ staging('course') }}
