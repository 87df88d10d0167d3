{{ staging('talent_demand') }}
