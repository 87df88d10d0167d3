{{ staging('org_unit') }}
