{{ one_grain('city', ['indicator_code', 'name_zh', 'name_en'], is_latest=true) }}
