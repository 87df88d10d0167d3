{# Chinese comments on the schemas of a run, for whoever opens them in a BI tool. #}
{% macro comment_on_schemas(schemas) %}
    {%- set texts = {
        'reference': '参考数据：国家与本市代码、学科目录、区划、集群与口径标记',
        'plan': '行动方案：指标、目标、路径、清单原文',
        'star': '星型模型：一致维度、事实与桥接表',
        'indicators': '指标计算：各指标的分子与分母',
        'marts': '集市：指标值、目标评分，供报表与分析工具读取',
    } -%}
    {%- for schema in schemas if schema in texts %}
    comment on schema {{ schema }} is '{{ simulated_note() if schema == "marts" }}{{ texts[schema] }}';
    {%- endfor %}
{% endmacro %}
