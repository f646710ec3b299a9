import { useSignal } from "@preact/signals";
import { api, type Schemas, unwrap } from "../api/client";
import { Action } from "../shared/action";
import { Badge, Button, Empty, ErrorNote, Time } from "../shared/basics";
import { Cards } from "../shared/cards";
import { useResource } from "../shared/poll";
import { barred, self } from "../shared/self";
import { NewKey } from "./newkey";
import { Revoke, Rotate } from "./replace";
import { type Made, Secret } from "./secret";

type Key = Schemas["KeyInfo"];

/** What is being done with the keys: a dialog for each. */
type Deed = { what: "new" } | { what: "rotate" | "revoke"; key: Key } | { what: "made"; made: Made };

/** The API keys of the store: for admins; others are told why they see none. */
export function StoredKeys() {
  const deed = useSignal<Deed | undefined>(undefined);
  const me = self.value;
  const reason = barred("admin");
  const close = () => {
    deed.value = undefined;
  };
  const made = (it: Made) => {
    deed.value = { what: "made", made: it };
  };
  return (
    <section class="frame" aria-labelledby="keys">
      <div class="row spread">
        <h2 id="keys">Keys of the store</h2>
        <Action
          needs="admin"
          kind="primary"
          why={me ? undefined : "The server has not said who you are."}
          onClick={() => {
            deed.value = { what: "new" };
          }}
        >
          New key
        </Action>
      </div>
      {me && reason === undefined ? <KeyTable deed={deed} /> : null}
      {reason ? <p class="muted">{reason} So the keys are not listed.</p> : null}
      <Dialogs deed={deed.value} made={made} close={close} />
    </section>
  );
}

function Dialogs(props: { deed: Deed | undefined; made(it: Made): void; close(): void }) {
  const { deed, made, close } = props;
  switch (deed?.what) {
    case "new":
      return <NewKey onMade={made} onClose={close} />;
    case "rotate":
      return <Rotate of={deed.key} onMade={made} onClose={close} />;
    case "revoke":
      return <Revoke of={deed.key} onClose={close} />;
    case "made":
      return <Secret made={deed.made} onClose={close} />;
    case undefined:
      return null;
  }
}

function KeyTable({ deed }: { deed: { value: Deed | undefined } }) {
  const list = useResource(
    (signal) => unwrap(api.GET("/v1/keys", { signal })),
    [deed.value === undefined],
    30_000,
  );
  const keys = list.data?.keys ?? [];
  return (
    <>
      <ErrorNote error={list.error} retry={list.reload} />
      {list.data && keys.length === 0 ? (
        <Empty>
          The store has no keys. Those of the configuration are not listed, and are changed there.
        </Empty>
      ) : null}
      {keys.length > 0 ? (
        <Cards
          caption="API keys of the store, oldest first"
          rows={keys}
          id={(k) => k.id}
          columns={[
            { head: "Tenant", cell: (k) => <strong>{k.name}</strong> },
            { head: "Roles", cell: (k) => k.roles?.join(", ") },
            { head: "State", cell: (k) => <Badge word={k.state} /> },
            { head: "Requests", cell: (k) => (k.rate ? `${k.rate} a second` : "As the server"), extra: true },
            { head: "Expires", cell: (k) => (k.expires_at ? <Time at={k.expires_at} relative /> : "Never") },
            { head: "Made", cell: (k) => <Time at={k.created_at} relative />, extra: true },
            { head: "Id", cell: (k) => <code>{k.id}</code>, extra: true },
            { head: "Actions", cell: (k) => <Actions of={k} deed={deed} />, end: true },
          ]}
        />
      ) : null}
      {keys.length > 0 ? (
        <p class="muted small">Keys of the configuration hold beside these, and are changed there.</p>
      ) : null}
    </>
  );
}

function Actions({ of, deed }: { of: Key; deed: { value: Deed | undefined } }) {
  const begin = (what: "rotate" | "revoke") => () => {
    deed.value = { what, key: of };
  };
  const whose = `the key ${of.id} of ${of.name}`;
  return (
    <span class="row actions">
      <Button onClick={begin("rotate")} aria-label={`Rotate ${whose}`}>
        Rotate
      </Button>
      <Button kind="danger" onClick={begin("revoke")} aria-label={`Revoke ${whose}`}>
        Revoke
      </Button>
    </span>
  );
}
