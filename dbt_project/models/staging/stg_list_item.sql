{{ staging('list_item') }}
