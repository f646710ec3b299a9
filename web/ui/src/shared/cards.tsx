import type { ComponentProps } from "preact";
import { Table } from "./basics";
import "./cards.css";

/** A table whose rows are cards on a phone, so that nothing of them has to be scrolled to. */
export function Cards<T>(props: ComponentProps<typeof Table<T>>) {
  return (
    <div class="cards">
      <Table<T> {...props} />
    </div>
  );
}
