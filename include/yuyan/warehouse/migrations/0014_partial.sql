-- A run, or an institution's collection, of which a part failed or is held is no success.
alter table ops.run drop constraint run_state_check,
    add constraint run_state_check check (state in ('running', 'success', 'partial', 'failed'));
comment on column ops.run.state is 'running 运行中；success 成功；partial 部分完成：有单位或实体失败或暂缓，其余已生效；failed 失败';

alter table ops.collection_result drop constraint collection_result_outcome_check,
    add constraint collection_result_outcome_check
    check (outcome in ('success', 'partial', 'failed', 'skipped', 'held') and (outcome <> 'partial' or entity = ''));
comment on column ops.collection_result.outcome is 'success 成功；partial 部分完成（仅单位合计）：有实体失败或暂缓；failed 失败；skipped 重复交付，未重复装载；held 暂缓（见 quality.hold），此前的数据继续有效';
