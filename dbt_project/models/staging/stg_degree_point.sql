{{ staging('degree_point') }}
