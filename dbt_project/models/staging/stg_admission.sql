{{ staging('admission') }}
