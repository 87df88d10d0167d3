"""
# 资源配置 allocate

按需运行：按一个方案把预算分到各单位，写入 `allocation`（运行只增不改），再写出报告。数据须先由市教委签认
（`yuyan allocate sign`），可信等级为 NCID 的数据不得作为拨款依据。同样的方案和数据得到同一次运行，重跑不会写第二次。
方案在 `include/schemes`，说明见 `docs/allocation.md`。

**先做什么 / what to do first**

1. `allocate` 失败并写明“没有签认”：核对数据后执行日志中的签认命令，再 Clear 该任务；
   写明 NCID 的，先请报送单位更正并重跑数仓。
2. `allocate` 失败并写明方案或预算有误：日志写明文件、位置和差额；更正 `include/schemes` 后 Clear 该任务。
3. `report` 失败：结果已写入 `marts.allocation_result`，修好后 Clear 该任务，或执行 `yuyan allocate report 运行编号`。
"""

from datetime import timedelta

from airflow.sdk import Param, dag, task

params = {
    "scheme": Param("default", type="string", title="方案", description="include/schemes 中的文件名"),
    "budget_cny": Param(
        None, type=["null", "integer"], minimum=1, title="预算（元）", description="缺省为方案所写"
    ),
}


@dag(
    schedule=None,
    params=params,
    doc_md=__doc__,
    tags=["渝研", "资源配置"],
    max_active_runs=1,
    default_args={
        "owner": "yuyan",
        "retries": 1,
        "retry_delay": timedelta(seconds=15),
        "execution_timeout": timedelta(minutes=30),
    },
)
def allocate():
    @task
    def allocate(params) -> str:
        """从签认的指标到拨款方案 / from signed indicators to grants; the run's number."""
        from yuyan import settings
        from yuyan.allocate import run

        return run.allocate(settings.warehouse_dsn("decide"), params["scheme"], params["budget_cny"])[
            "allocation_id"
        ]

    @task
    def report(allocation_id: str) -> str:
        """本次的网页和工作簿 / the run's pages and workbook."""
        import psycopg

        from yuyan import settings
        from yuyan.pages import allocation

        with psycopg.connect(settings.warehouse_dsn("decide")) as connection:
            return str(allocation.build(connection, allocation_id, settings.simulated_mark()))

    report(allocate())


allocate()
