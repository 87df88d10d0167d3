{{ staging('student') }}
