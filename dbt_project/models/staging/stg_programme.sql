{{ staging('programme') }}
