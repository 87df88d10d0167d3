{{ staging('thesis_sampling') }}
