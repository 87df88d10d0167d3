{{ staging('achievement') }}
