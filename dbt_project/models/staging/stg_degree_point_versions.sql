{{ staging_versions('degree_point') }}
