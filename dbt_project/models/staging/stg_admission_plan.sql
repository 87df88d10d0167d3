{{ staging('admission_plan') }}
