{{ staging('practice_participation') }}
