{{ staging('practice_project') }}
