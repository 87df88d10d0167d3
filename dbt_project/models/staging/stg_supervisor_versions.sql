{{ staging_versions('supervisor') }}
