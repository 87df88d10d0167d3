{{ staging('honour') }}
