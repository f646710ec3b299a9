import type { ComponentChildren } from "preact";
import { refused } from "../api/keys";
import type { Route } from "../router";
import { ErrorNote, NoKey } from "../shared/basics";
import type { Resource } from "../shared/poll";
import "./cluster.css";
import { useCluster } from "./data";
import type { Part } from "./findings";
import { Languages } from "./languages";
import { Queues } from "./queues";
import { Store } from "./store";
import { Freshness, Summary, Tiles } from "./summary";
import { Workers } from "./workers";

/** How the cluster is doing: workers, queues, languages and the store, and whether all is well. */
export function View(_: { route: Route }) {
  const cluster = useCluster();
  const { live, store, languages } = cluster;
  if (refused.value && !live.data) {
    return (
      <div class="page">
        <h1>Cluster</h1>
        <NoKey />
      </div>
    );
  }
  return (
    <div class="page">
      <div class="row spread">
        <h1>Cluster</h1>
        <Freshness cluster={cluster} />
      </div>
      <Summary cluster={cluster} />
      <Tiles cluster={cluster} />
      <Section id="workers" title="Workers" of={live}>
        {live.data ? <Workers workers={live.data.workers} /> : null}
      </Section>
      <Section id="queues" title="Queues" of={live}>
        {live.data ? <Queues queues={live.data.queues} reload={live.reload} /> : null}
      </Section>
      <Section id="languages" title="Languages" of={languages}>
        {languages.data ? <Languages languages={languages.data} /> : null}
      </Section>
      <Section id="store" title="Store" of={store}>
        {store.data ? <Store health={store.data} /> : null}
      </Section>
    </div>
  );
}

/** A part of the view. Until it is known, it says why it is not. */
function Section(props: { id: Part; title: string; of: Resource<unknown>; children: ComponentChildren }) {
  const { id, title, of, children } = props;
  return (
    <section
      id={id}
      class="cluster-part"
      aria-labelledby={`${id}-title`}
      aria-busy={of.data === undefined}
      tabIndex={-1}
    >
      <h2 id={`${id}-title`}>{title}</h2>
      {of.data === undefined && of.error === undefined ? <p class="muted">…</p> : null}
      {of.data === undefined ? <ErrorNote error={of.error} retry={of.reload} /> : null}
      {children}
    </section>
  );
}
