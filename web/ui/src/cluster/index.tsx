import { api, unwrap } from "../api/client";
import type { Route } from "../router";
import { Empty, ErrorNote, Table, Time } from "../shared/basics";
import { useResource } from "../shared/poll";

export function View(_: { route: Route }) {
  const list = useResource((signal) => unwrap(api.GET("/v1/workers", { signal })), [], 5000);
  return (
    <div class="page">
      <h1>Cluster</h1>
      <ErrorNote error={list.error} retry={list.reload} />
      {list.data?.workers?.length === 0 ? <Empty>No worker is registered.</Empty> : null}
      {list.data?.workers?.length ? (
        <Table
          caption="Workers"
          rows={list.data.workers}
          id={(w) => w.name}
          columns={[
            { head: "Worker", cell: (w) => w.name },
            { head: "Slots", cell: (w) => `${w.busy} of ${w.slots}`, end: true },
            { head: "Seen", cell: (w) => <Time at={w.seen_at} relative /> },
          ]}
        />
      ) : null}
    </div>
  );
}
