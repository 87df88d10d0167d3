{{ staging('urgent_discipline_list') }}
