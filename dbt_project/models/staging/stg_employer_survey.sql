{{ staging('employer_survey') }}
