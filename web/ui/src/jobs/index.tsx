import { api, unwrap } from "../api/client";
import type { Route } from "../router";
import { Badge, Empty, ErrorNote, Table, Time } from "../shared/basics";
import { useResource } from "../shared/poll";

export function View(_: { route: Route }) {
  const list = useResource(
    (signal) => unwrap(api.GET("/v1/jobs", { params: { query: { limit: 50 } }, signal })),
    [],
    5000,
  );
  return (
    <div class="page">
      <h1>Jobs</h1>
      <ErrorNote error={list.error} retry={list.reload} />
      {list.data?.jobs?.length === 0 ? <Empty>There are no jobs.</Empty> : null}
      {list.data?.jobs?.length ? (
        <Table
          caption="Jobs, newest first"
          rows={list.data.jobs}
          id={(j) => j.id}
          columns={[
            { head: "State", cell: (j) => <Badge word={j.verdict ?? j.state} /> },
            { head: "Language", cell: (j) => j.language },
            { head: "Made", cell: (j) => <Time at={j.created_at} relative /> },
            { head: "Id", cell: (j) => <code>{j.id}</code>, extra: true },
          ]}
        />
      ) : null}
    </div>
  );
}
