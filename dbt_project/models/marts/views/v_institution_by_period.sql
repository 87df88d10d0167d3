{{ one_grain('institution', ['indicator_code', 'name_zh', 'name_en', 'inst_code', 'unit_name_zh as inst_name', 'inst_order'], is_latest=false) }}
