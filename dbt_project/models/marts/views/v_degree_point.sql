{{ one_grain(
    'degree_point',
    ['indicator_code', 'variant_code', 'name_zh', 'name_en', 'unit_code as degree_point_id', 'unit_name_zh as degree_point_zh', 'inst_code', 'inst_order'],
    is_latest=true,
    of_definitions='(is_official or variant_code in (select i.variant_code from ' ~ ref('indicator') ~ ' as i where i.is_beside_official))'
) }}
