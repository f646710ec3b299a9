import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { self } from "../shared/self";
import { draft, type TestRow } from "./draft";
import { fileBounds, importFiles } from "./files";

/** What was last done to the tests at once. */
export type Done =
  /** Files gave tests, with what was left aside. */
  | { count: number; notes: string[] }
  /** Files gave none. */
  | { error: unknown }
  /** All were removed. */
  | { removed: TestRow[] };
export const done = signal<Done | undefined>(undefined);

/** Removes all tests, and offers to take that back. */
export function removeAll(): void {
  done.value = { removed: draft.tests.peek() };
  draft.tests.value = [];
}

/** Adds the tests that are in files. */
export async function take(files: readonly File[]): Promise<void> {
  done.value = undefined;
  try {
    const { tests, notes } = await importFiles(files, fileBounds(self.peek()?.limits));
    draft.tests.value = [...draft.tests.peek(), ...tests];
    done.value = { count: tests.length, notes };
  } catch (error) {
    done.value = { error };
  }
}

/** Whether files are dragged over the page. */
export const dragged = signal(false);

const ofTests = /\.(zip|in|inp|out|ans)$/i;

/**
 * Takes files that are dropped anywhere, rather than have the browser leave the page for them, and shows
 * where they went. What is dropped on the editor and has no name of a test's is text for the source.
 */
export function useDrops(show: () => void): void {
  useEffect(() => {
    const over = (e: DragEvent) => {
      if (!e.dataTransfer?.types.includes("Files")) return;
      e.preventDefault();
      dragged.value = true;
    };
    const leave = (e: DragEvent) => {
      if (e.relatedTarget === null) dragged.value = false; // out of the window
    };
    const drop = (e: DragEvent) => {
      dragged.value = false;
      const files = Array.from(e.dataTransfer?.files ?? []);
      if (files.length === 0) return;
      const onEditor = e.target instanceof Element && e.target.closest(".editor") !== null;
      if (onEditor && !files.some((f) => ofTests.test(f.name))) return;
      e.preventDefault();
      e.stopPropagation();
      show();
      void take(files);
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop, { capture: true });
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop, { capture: true });
    };
  }, []);
}
