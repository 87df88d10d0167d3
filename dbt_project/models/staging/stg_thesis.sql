{{ staging('thesis') }}
