import type { Route } from "../router";

export function View(_: { route: Route }) {
  return (
    <div class="page">
      <h1>Run</h1>
    </div>
  );
}
