{{ staging('commissioned_project') }}
