{{ staging('institution') }}
