{{ staging('list_milestone') }}
