{{ staging('overseas_study') }}
