{{ staging('enterprise') }}
