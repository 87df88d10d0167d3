-- What a rule saw is kept as it was received, but of a person's pseudonym only that there was one (validate/worktable.py).
update quality.row_failure set observed_value = '（假名，不显示）'
where observed_value is not null and string_to_array(column_name, '|') && array['person_key', 'expert_key'];
