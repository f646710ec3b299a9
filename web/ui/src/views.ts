import type { ComponentType } from "preact";
import type { Route } from "./router";

/** A view of the page: a folder whose index.tsx exports View. Its code is loaded when it is shown first. */
export interface ViewEntry {
  title: string;
  /** It is reached by something else in the header than its title. */
  aside?: boolean;
  load(): Promise<{ View: ComponentType<{ route: Route }> }>;
}

/** The views, by the first part of their addresses, in the order of the header. */
export const views: Record<string, ViewEntry> = {
  run: { title: "Run", load: () => import("./run") },
  jobs: { title: "Jobs", load: () => import("./jobs") },
  cluster: { title: "Cluster", load: () => import("./cluster") },
  access: { title: "Access", aside: true, load: () => import("./access/view") },
};
