select 'city' as grain, region_code as unit_code, region_name as unit_name_zh
from {{ ref('dim_geography') }}
where region_code = '{{ var("city_code") }}'

union all

select 'institution', inst_code, coalesce(inst_name, inst_code)
from {{ ref('dim_institution') }}
