{{ staging('thesis_sampling_review') }}
