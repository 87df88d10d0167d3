{{ staging('degree_point_event') }}
