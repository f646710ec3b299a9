import type { Route } from "../router";
import { DeadLetters } from "./deadletters";
import { JobPage } from "./job";
import { List } from "./list";
import "./jobs.css";

/** Jobs: #/jobs is the list, #/jobs/dead-letters those that failed, and #/jobs/ID a job's page. */
export function View({ route }: { route: Route }) {
  const [first] = route.path;
  if (first === undefined) return <List route={route} />;
  if (first === "dead-letters") return <DeadLetters route={route} />;
  return <JobPage key={first} id={first} />;
}
