{{ staging('supervisor') }}
