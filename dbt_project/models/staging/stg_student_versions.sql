{{ staging_versions('student') }}
