{{ staging('degree_award') }}
